//! A file with a mistake changes nothing, and the error says where the mistake is.

use std::time::Instant;

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::check::stage::{EAST, SOON, Stage, WEST};
use crate::topology::SERVICE_PORT;
use crate::wait::{Seen, until};

pub(in crate::check) async fn run(stage: &Stage) -> anyhow::Result<String> {
    let lab = &stage.lab;
    let good = lab.sample(WEST, "echo")?;
    let right = format!("port: {SERVICE_PORT}");
    let text = good.to_yaml().replacen(&right, "port: eighty", 1);
    let line = text.lines().position(|line| line.contains("eighty")).context("the mistake was not made")? + 1;
    let began = Instant::now();
    lab.save_text(WEST, &good.file_name(), &text)?;

    let agent = lab.cluster(WEST)?.agent_http;
    let look = || async {
        let status = lab.observer().status(agent).await?;
        let problems =
            status.pointer("/source/problems").and_then(Value::as_array).cloned().unwrap_or_default();
        let error =
            problems.into_iter().find(|problem| problem.get("severity") != Some(&Value::from("warning")));
        Ok(error.map_or_else(|| Seen::NotYet("no problem".to_owned()), Seen::Done))
    };
    let (problem, _) = until(&format!("the agent of {WEST} to report the mistake"), SOON, look).await?;
    let took = began.elapsed();
    let text_of = |key: &str| problem.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (file, field, message) = (text_of("file"), text_of("field"), text_of("message"));
    let reported = problem.get("line").and_then(Value::as_u64);
    ensure!(
        file.ends_with(&good.file_name()),
        "the mistake is in {}, and reported in {file}",
        good.file_name()
    );
    ensure!(
        reported == Some(line as u64),
        "the mistake is in line {line}, and reported in {reported:?}: {message}"
    );
    ensure!(
        field.contains("port"),
        "the mistake is in spec.ports[0].port, and reported in {field:?}: {message}"
    );

    let by = stage.answered_by("echo").await.context("the last good state was lost")?;
    ensure!(by == WEST, "echo was answered by {by}");
    lab.save_yaml(WEST, &good)?;
    let look = || async {
        let status = lab.observer().status(agent).await?;
        let ok = status.pointer("/source/ok").and_then(Value::as_bool);
        Ok(if ok == Some(true) { Seen::Done(()) } else { Seen::NotYet(format!("source.ok is {ok:?}")) })
    };
    until(&format!("the agent of {WEST} to be content again"), SOON, look).await?;
    Ok(format!(
        "reported after {} ms as \"{}:{line}: {field}: {message}\"; meanwhile echo still answered {EAST}; mended, the \
         source was good again",
        took.as_millis(),
        good.file_name()
    ))
}
