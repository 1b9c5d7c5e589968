//! Whole plans: golden files and laws.

mod golden;
mod laws;
mod render;
mod world;
