//! `isthmus-bench`: measures what the project promises, on a lab of its own, with real processes.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};
use multi_cluster_e2e_bench::kubernetes::{self, Options};
use multi_cluster_e2e_bench::line::Line;
use multi_cluster_e2e_bench::{idle, line, machine, propagation, raft, scale, trust};

/// Connections, messages and changes are made on one thread and dropped on another, which glibc's allocator takes locks for.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures on a lab of its own. Exits 0 when it could measure, whatever the figures.
#[derive(Debug, Parser)]
#[command(name = "isthmus-bench", version, after_help = EXAMPLES)]
struct Arguments {
    /// A table for people, or one JSON object a line for programs.
    #[arg(short, long, value_enum, global = true, default_value_t = Output::Table)]
    output: Output,
    /// What to measure.
    #[command(subcommand)]
    what: What,
}

const EXAMPLES: &str = "\
Examples:
  isthmus-bench propagation -n 100      from a saved YAML file to an answer in another cluster
  isthmus-bench propagation --kubernetes -n 200
                                        from one API server to another cluster's Envoy and imports
  ISTIOD=/opt/pilot-discovery isthmus-bench propagation --kubernetes
                                        the same, beside an istiod that reads that API server itself
  isthmus-bench raft --writers 16,256   writes to three servers, beside three etcd on the same disk
  isthmus-bench scale --clusters 25 --services 20
                                        many clusters at three servers: how long changes take, and what they cost
  isthmus-bench trust -n 10000          certificates issued, and handshakes judged, beside rcgen and rustls alone
  isthmus-bench idle --seconds 20       what a lab costs that nobody uses

Measure with a release build: cargo build --release --workspace, then target/release/isthmus-bench.";

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    Table,
    Json,
}

#[derive(Debug, Subcommand)]
enum What {
    /// From a YAML file saved in one cluster to a request in another answered by it, by the gateway and by Envoy.
    Propagation {
        /// How many services are exported, one after the other.
        #[arg(short = 'n', long, default_value_t = 100)]
        samples: u32,
        /// From one real API server to the Envoy and the ServiceImports of another cluster instead.
        #[arg(long)]
        kubernetes: bool,
        /// Services that are exported before anything is measured.
        #[arg(long, default_value_t = 300, requires = "kubernetes")]
        services: usize,
        /// Endpoints of all of them together.
        #[arg(long, default_value_t = 4_000, requires = "kubernetes")]
        endpoints: usize,
        /// Exports that are created at once; 0: none.
        #[arg(long, default_value_t = 1_000, requires = "kubernetes")]
        burst: usize,
    },
    /// Writes that three servers agree on, beside three etcd on the same disk in the same run.
    Raft {
        /// How many write at once, case by case.
        #[arg(long, value_delimiter = ',', default_values_t = [1, 16, 256])]
        writers: Vec<usize>,
        /// Bytes of each value.
        #[arg(long, default_value_t = 512)]
        bytes: usize,
        /// How many watch what one writes, in a case of its own; 0: none.
        #[arg(long, default_value_t = 250)]
        watchers: usize,
        /// How long each case is measured.
        #[arg(long, default_value_t = 20)]
        seconds: u64,
    },
    /// Changes of many clusters at three servers: how long they take to arrive, and what that costs.
    Scale {
        /// How many clusters.
        #[arg(long, default_value_t = 250)]
        clusters: usize,
        /// Services that each of them exports.
        #[arg(long, default_value_t = 100)]
        services: usize,
        /// Endpoints of each service.
        #[arg(long, default_value_t = 10)]
        endpoints: u32,
        /// Changes a second, over all clusters.
        #[arg(long, default_value_t = 325)]
        changes: u32,
        /// How long changes are made.
        #[arg(long, default_value_t = 60)]
        seconds: u64,
        /// Other clusters that may import each service [default: all]
        #[arg(long)]
        scope: Option<usize>,
    },
    /// What the rules of trust domains cost: certificates issued and peers judged, beside the libraries alone.
    Trust {
        /// How many of each.
        #[arg(short = 'n', long, default_value_t = 10_000)]
        samples: u32,
    },
    /// Processor time and memory of a whole lab that nobody uses.
    Idle {
        /// How long to watch.
        #[arg(long, default_value_t = 20)]
        seconds: u64,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("isthmus-bench: could not measure: {error:#}");
            ExitCode::from(1)
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    eprintln!("{}", machine::description());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let lines: Vec<Line> = runtime.block_on(async {
        match &arguments.what {
            What::Propagation { samples, kubernetes: false, .. } => propagation::measure(*samples).await,
            &What::Propagation { samples, services, endpoints, burst, .. } => {
                let samples = usize::try_from(samples)?;
                let istiod = std::env::var_os("ISTIOD").map(PathBuf::from);
                kubernetes::measure(&Options { services, endpoints, samples, burst, istiod }).await
            }
            What::Raft { writers, bytes, watchers, seconds } => {
                let (writers, time) = (writers.clone(), Duration::from_secs(*seconds));
                raft::measure(&raft::Options { writers, bytes: *bytes, watchers: *watchers, time }).await
            }
            &What::Scale { clusters, services, endpoints, changes, seconds, scope } => {
                let options = scale::Options { clusters, services, endpoints, changes, seconds, scope };
                scale::measure(&options).await
            }
            What::Trust { samples } => trust::measure(*samples),
            What::Idle { seconds } => idle::measure(*seconds).await,
        }
    })?;
    match arguments.output {
        Output::Json => {
            for line in &lines {
                println!("{}", serde_json::to_string(line)?);
            }
        }
        Output::Table => print!("{}", line::table(&lines)),
    }
    Ok(())
}
