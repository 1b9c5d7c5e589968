//! What was measured on.

use std::process::Command;

use multi_cluster_e2e_lab::binaries::{Binaries, ENVOY_VERSION};

/// Processor, kernel, versions, and what is missing, in a few lines.
pub fn description() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpu = field(&read("/proc/cpuinfo"), "model name").unwrap_or_else(|| "unknown processor".to_owned());
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZeroUsize::get);
    let memory = field(&read("/proc/meminfo"), "MemTotal").unwrap_or_default();
    let kernel = read("/proc/sys/kernel/osrelease");
    let build = if cfg!(debug_assertions) { "debug build: figures are too high" } else { "release build" };
    format!(
        "machine: {cpu}, {cores} cores, {memory}, Linux {}\nisthmus {}, {build}; Envoy: {}",
        kernel.trim(),
        env!("CARGO_PKG_VERSION"),
        envoy()
    )
}

fn envoy() -> String {
    let path = match Binaries::envoy() {
        Ok(path) => path,
        Err(missing) => return format!("missing ({missing})"),
    };
    match Command::new(&path).arg("--version").output() {
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stdout);
            text.split_once("version: ").map_or(ENVOY_VERSION, |(_, version)| version.trim()).to_owned()
        }
        Err(error) => format!("does not start ({error})"),
    }
}

fn field(text: &str, name: &str) -> Option<String> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_proc_files_are_found() {
        let text = "processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\n";
        assert_eq!(field(text, "model name").as_deref(), Some("Some CPU @ 2 GHz"));
        assert_eq!(field(text, "MemTotal"), None);
    }
}
