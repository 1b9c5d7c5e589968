//! How long anything may take. Nothing here waits without a limit.

use std::time::Duration;

use federation_kit::grpc::Dial;

/// The limits of a client.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// Dialling and keep-alive.
    pub dial: Dial,
    /// Longest wait for the answer to a call, to a published item, or to a report.
    pub answer: Duration,
    /// Longest silence of a watch; a healthy server speaks every second.
    pub silence: Duration,
    /// Longest time that the leader's clock may stand still on a watch: a server cut off from its leader speaks
    /// every second too, and knows nothing new.
    pub leader_stall: Duration,
    /// Between two proofs of life. A lease lasts 10 s: two may be lost.
    pub report_every: Duration,
    /// First and last delay before another server is tried.
    pub reconnect: (Duration, Duration),
    /// First and last delay before refused items are sent again.
    pub retry_refused: (Duration, Duration),
    /// Least time between two writes of the last known good view.
    pub save_every: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            dial: Dial {
                connect: Duration::from_secs(3),
                ping_every: Duration::from_secs(3),
                ping_timeout: Duration::from_secs(3),
            },
            answer: Duration::from_secs(5),
            silence: Duration::from_secs(5),
            leader_stall: Duration::from_secs(15),
            report_every: Duration::from_secs(3),
            reconnect: (Duration::from_millis(100), Duration::from_secs(5)),
            retry_refused: (Duration::from_secs(1), Duration::from_secs(60)),
            save_every: Duration::from_secs(1),
        }
    }
}
