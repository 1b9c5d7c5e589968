//! The rules, one file each. Names say what is asked.

pub mod allows_have_reasons;
pub mod crate_edges;
pub mod crates_are_declared;
pub mod documents_resolve;
pub mod file_sizes;
pub mod no_fixed_sleeps;
pub mod no_leftovers;
pub mod no_machine_paths;
pub mod pure_crates;
pub mod two_commands;
