//! Jobs from an operator to peels and back, with masters, peels and a real nats-server.

use std::time::Duration;
use zester_executor::{
    job::message::{JobOutcome, JobStatus, PeelStatus},
    operator::Heard,
};
use zester_tests::fleet::{Fleet, await_peels, job};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_function_on_two_peels() {
    let fleet = Fleet::start().await;
    let master = fleet.master().await;
    let (one, two) = tokio::join!(fleet.peel("web-1"), fleet.peel("web-2"));
    let operator = fleet.operator().await;
    await_peels(&operator, 2).await;
    let job = job(&operator, "web-*", "test.ping", &[]).await;
    let jid = job.jid.clone();
    let mut returned = 0;
    let report = operator
        .run(job, |heard| returned += usize::from(matches!(heard, Heard::Returned(..))))
        .await
        .unwrap();
    assert_eq!(report.record.status, JobStatus::Complete, "{report:?}");
    assert_eq!(report.peels.len(), 2);
    for (status, result) in report.peels.values() {
        assert_eq!(*status, PeelStatus::Done);
        assert_eq!(
            result.as_ref().unwrap().outcome,
            JobOutcome::Value(zester_compiler::types::Value::Bool(true))
        );
    }
    assert_eq!(returned, 2);
    // What is stored says the same.
    assert_eq!(operator.job(&jid).await.unwrap().status, JobStatus::Complete);
    assert_eq!(operator.jobs(10).await.unwrap().len(), 1);
    one.stop().await;
    two.stop().await;
    master.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn states_of_a_published_tree() {
    let fleet = Fleet::start().await;
    let _master = fleet.master().await;
    let _peel = fleet.peel("web-1").await;
    let operator = fleet.operator().await;
    let target = fleet.directory.path().join("motd");
    let state = format!(
        "motd:\n  file.managed:\n    - name: {}\n    - source: zester://files/motd\n    - template: jinja\n",
        target.display()
    );
    let files = [
        ("states/top.zy", "base:\n  'web-*': [web]\n"),
        ("states/web.zy", state.as_str()),
        ("states/files/motd", "hello {{ settings.who }} on {{ grains.id }}\n"),
        ("settings/top.zy", "base:\n  '*': [all]\n"),
        ("settings/all.zy", "who: world\n"),
    ];
    assert!(fleet.publish(&files).await.new);
    assert!(!fleet.publish(&files).await.new, "the same tree is no new revision");
    await_peels(&operator, 1).await;
    for changed in [1, 0] {
        let job = job(&operator, "*", "state.apply", &[]).await;
        let report = operator.run(job, |_| {}).await.unwrap();
        let (status, result) = report.peels.values().next().unwrap();
        let result = result.as_ref().unwrap();
        assert_eq!(*status, PeelStatus::Done, "{result:?}");
        let JobOutcome::States(states) = &result.outcome else { panic!("{result:?}") };
        assert_eq!(states.counts.changed, changed, "{states:?}");
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "hello world on web-1\n");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peel_that_was_away_gets_its_job() {
    let fleet = Fleet::start().await;
    let _master = fleet.master().await;
    let peel = fleet.peel("web-1").await;
    let operator = fleet.operator().await;
    await_peels(&operator, 1).await;
    peel.stop().await;
    let job = job(&operator, "*", "test.ping", &[]).await;
    let jid = job.jid.clone();
    let report = operator.run(job, |_| {}).await.unwrap();
    assert_eq!(report.record.status, JobStatus::Timeout, "{report:?}");
    assert_eq!(report.peels.values().next().unwrap().0, PeelStatus::Unreachable);
    let _peel = fleet.peel("web-1").await;
    for _ in 0..100 {
        let record = operator.job(&jid).await.unwrap();
        if record.status == JobStatus::Complete {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the record is not corrected: {:?}", operator.job(&jid).await);
}
