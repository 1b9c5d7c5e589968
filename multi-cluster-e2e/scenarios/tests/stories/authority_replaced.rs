//! A cluster's authority is replaced while a call of that cluster is under way: the call ends, since nobody vouches for its
//! caller any more, and calls that begin afterwards go on with certificates of the new one.

use std::time::Instant;

use anyhow::Context;
use multi_cluster_e2e_lab::lab::Lab;
use multi_cluster_e2e_lab::wait::{Seen, until};
use multi_cluster_e2e_scenarios::{PATIENCE, answered, small_lab};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How many calls of other clusters a gateway carries.
async fn carried(lab: &Lab, cluster: &str) -> anyhow::Result<u64> {
    let status = lab.observer().status(lab.cluster(cluster)?.gateway_http).await?;
    status["connections"]["ingress"].as_u64().with_context(|| format!("no count in {status}"))
}

async fn until_carried(lab: &Lab, wanted: u64) -> anyhow::Result<()> {
    let look = || async {
        let now = carried(lab, "west").await?;
        Ok(if now == wanted { Seen::Done(()) } else { Seen::NotYet(format!("{now} calls")) })
    };
    until(&format!("{wanted} calls at the gateway of west"), PATIENCE, look).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn live_calls_end_with_the_authority_of_their_caller() -> anyhow::Result<()> {
    let lab = small_lab().await?;
    assert_eq!(answered(&lab, "east", "echo").await?, "west");
    until_carried(&lab, 0).await?;
    let vips = lab.dig("east", "echo.demo.svc.clusterset.local", "A").await?.addresses();
    let mut call = TcpStream::connect((vips[0], 8080)).await?;
    // Half a request: the other end waits for the rest.
    call.write_all(b"GET / HTTP/1.1\r\nhost: echo\r\n").await?;
    until_carried(&lab, 1).await?;

    let east = lab.cluster("east")?;
    lab.stop(&east.agent_name(), true).await?;
    for file in ["ca.pem", "ca.key"] {
        std::fs::remove_file(lab.layout().cluster("east").join("data").join(file))?;
    }
    let began = Instant::now();
    lab.start(&east.agent_name()).await?;
    let mut byte = [0];
    let ended = tokio::time::timeout(PATIENCE, call.read(&mut byte)).await;
    let ended = ended.context("the call goes on, though nobody vouches for its caller")?;
    assert!(matches!(ended, Ok(0) | Err(_)), "an answer to half a request");
    println!(
        "the call ended {} ms after the agent was started with another authority",
        began.elapsed().as_millis()
    );
    until_carried(&lab, 0).await?;
    lab.ready(&east.agent_name(), east.agent_http).await?;
    assert_eq!(answered(&lab, "east", "echo").await?, "west");
    lab.down().await
}
