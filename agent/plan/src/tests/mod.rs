//! Whole plans: golden files and laws.

mod golden;
mod laws;
mod memory;
mod render;
mod world;
