//! One story per file, each on a lab of its own.
#![allow(clippy::indexing_slicing, reason = "a story knows which clusters its own lab has")]

mod authorities;
mod authority_replaced;
mod backup;
mod bad_config;
mod bad_token;
mod command_line;
mod end_to_end_mode;
mod foreign_data;
mod lab_life;
mod restart_without_servers;
mod rolling_restart;
mod second_agent;
mod torture;
mod tour;
mod walk;
