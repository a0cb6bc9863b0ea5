//! Hundreds of simulated peels: every one answers once, and all are back after the server's crash.

use std::time::Duration;
use zester_executor::job::message::JobStatus;
use zester_tests::fleet::{Fleet, await_peels, job};

const PEELS: usize = 300;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_peel_answers_once_and_comes_back() {
    let mut fleet = Fleet::start().await;
    let _master = fleet.master().await;
    let crowd = fleet.crowd("web", PEELS).await;
    let operator = fleet.operator().await;
    await_peels(&operator, PEELS as u64).await;
    let first = job(&operator, "*", "test.ping", &[]).await;
    let jid = first.jid.clone();
    let report = operator.run(first, |_| {}).await.unwrap();
    assert_eq!(report.record.status, JobStatus::Complete, "{:?}", report.record);

    fleet.server.kill();
    fleet.server.restart();
    for _ in 0..600 {
        if crowd.current(2) == PEELS {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(crowd.current(2), PEELS, "not all are back");
    let second = job(&operator, "*", "test.ping", &[]).await;
    let report = operator.run(second, |_| {}).await.unwrap();
    assert_eq!(report.record.status, JobStatus::Complete, "{:?}", report.record);
    // What was asked before is stored, and was not done again.
    let peels: Vec<_> = report.peels.keys().cloned().collect();
    assert_eq!(operator.returns(&jid, &peels).await.unwrap().len(), PEELS);
    let executed = crowd.executed();
    assert_eq!(executed.len(), 2 * PEELS);
    assert!(executed.values().all(|times| *times == 1));
    crowd.stop().await;
}
