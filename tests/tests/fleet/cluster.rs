//! A cluster of three servers that keeps everything three times: one of them dies in the middle of jobs.

use std::{sync::Arc, time::Duration};
use zester_executor::{
    job::message::{Job, JobStatus},
    operator::Operator,
};
use zester_tests::{
    cluster::NODES,
    fleet::{Fleet, await_peels, job},
};

const PEELS: usize = 60;
/// Jobs while a server is killed.
const JOBS: usize = 12;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_dies_in_the_middle_of_jobs() {
    let mut fleet = Fleet::clustered().await;
    let (_one, _two) = (fleet.master().await, fleet.master().await);
    let crowd = fleet.crowd("web", PEELS).await;
    let operator = Arc::new(fleet.operator().await);
    await_peels(&operator, PEELS as u64).await;
    // Each server in turn: one of them leads what matters, and peels, masters and the operator are on all of them.
    let mut jobs = Vec::new();
    for node in 0..NODES {
        let mut running = Vec::new();
        for n in 0..JOBS {
            if n == JOBS / 2 {
                fleet.server.kill(node);
            }
            let job = await_job(&operator).await;
            jobs.push(job.jid.clone());
            running.push(tokio::spawn(run(operator.clone(), job)));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        for run in running {
            run.await.unwrap();
        }
        fleet.server.revive(node);
        await_peels(&operator, PEELS as u64).await;
        settled(&fleet, &operator).await;
    }
    let peels: Vec<_> = operator.resolve("*").await.unwrap().0.peels;
    for jid in &jobs {
        assert_eq!(operator.job(jid).await.unwrap().status, JobStatus::Complete, "{jid}");
        // A job ends when its returns are heard; what was on its way to a server that died is sent again, by a peel that was refused
        // some times only after half a minute.
        let mut found = 0;
        for _ in 0..600 {
            found = operator.returns(jid, &peels).await.unwrap().len();
            if found == PEELS {
                break;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        assert_eq!(found, PEELS, "{jid}\n{}", fleet.server.replicas());
    }
    let executed = crowd.executed();
    for jid in &jobs {
        for peel in &peels {
            assert_eq!(executed.get(&(jid.clone(), peel.clone())), Some(&1), "{jid} on {peel}");
        }
    }
    crowd.stop().await;
}

/// A job for all, as soon as somebody says who they are.
async fn await_job(operator: &Operator) -> Job {
    await_peels(operator, PEELS as u64).await;
    job(operator, "*", "test.ping", &[]).await
}

/// Runs a job to its end. Whoever loses his server in the middle asks again: the same id is the same job.
async fn run(operator: Arc<Operator>, job: Job) {
    let mut last = String::new();
    for _ in 0..30 {
        match operator.run(job.clone(), |_| {}).await {
            Ok(report) if report.record.status == JobStatus::Complete => return,
            Ok(report) => last = format!("{:?}", report.record),
            Err(error) => last = error.to_string(),
        }
        // It may be over while the request was lost.
        tokio::time::sleep(Duration::from_secs(1)).await;
        if operator.job(&job.jid).await.is_ok_and(|record| record.status == JobStatus::Complete) {
            return;
        }
    }
    panic!("{} does not end: {last}", job.jid);
}

/// Waits until all three have everything again: the next one may die.
async fn settled(fleet: &Fleet<zester_tests::cluster::Cluster>, operator: &Operator) {
    let mut behind = String::new();
    for _ in 0..300 {
        match zester_tests::cluster::behind(operator.bus()).await {
            Ok(streams) if streams.is_empty() => return,
            Ok(streams) => behind = streams.join(", "),
            Err(error) => behind = error.to_string(),
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("never whole again: {behind}\n{}", fleet.server.log());
}
