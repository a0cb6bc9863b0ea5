//! Jobs from an operator to peels and back, with masters, peels and a real nats-server.

use std::time::Duration;
use zester_compiler::types::Value;
use zester_executor::{
    bus::{codec, id::PeelId, storage::Bucket},
    job::{
        message::{Batch, JobOutcome, JobRecord, JobStatus, PeelStatus, TargetChunk},
        store,
    },
    master::Master,
    operator::{Heard, Operator},
    peel::Peel,
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
        assert_eq!(result.as_ref().unwrap().outcome, JobOutcome::Value(Value::Bool(true)));
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
async fn states_are_tried_shown_left_out_and_run_alone() {
    let fleet = Fleet::start().await;
    let _master = fleet.master().await;
    let _peel = fleet.peel("web-1").await;
    let operator = fleet.operator().await;
    let dir = fleet.directory.path().join("made");
    let path = |name: &str| format!("{}/{name}", dir.display());
    let file = |id: &str, more: &str| {
        format!("{id}:\n  file.managed:\n    - name: {}\n    - makedirs: true\n{more}", path(id))
    };
    let web =
        [file("one", "    - contents: {{ settings.word }}\n"), file("two", "    - require: [{file: one}]\n")];
    let files = [
        ("states/top.zy", "base:\n  'web-*': [web, extra]\n"),
        ("states/web.zy", &web.concat()),
        ("states/extra.zy", &file("three", "")),
        ("settings/top.zy", "base:\n  '*': [all]\n"),
        ("settings/all.zy", "word: hello\n"),
    ];
    assert!(fleet.publish(&files).await.new);
    await_peels(&operator, 1).await;
    let run = async |function: &str, args: &[&str], kwargs: &[(&str, Value)]| {
        let mut job = job(&operator, "*", function, args).await;
        job.call.kwargs = kwargs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let report = operator.run(job, |_| {}).await.unwrap();
        let result = report.peels.values().next().unwrap().1.clone().unwrap();
        (result.outcome, result.error.unwrap_or_default())
    };
    let ids = |outcome: &JobOutcome| -> Vec<String> {
        let JobOutcome::States(states) = outcome else { panic!("{outcome:?}") };
        states.states.iter().map(|state| state.id.clone()).collect()
    };
    let value = |outcome: JobOutcome| match outcome {
        JobOutcome::Value(value) => serde_json::to_value(value).unwrap(),
        other => panic!("{other:?}"),
    };
    // What only shows, or only tries, touches nothing.
    let (top, _) = run("state.show_top", &[], &[]).await;
    assert_eq!(value(top), serde_json::json!({"base": ["web", "extra"]}));
    let (states, _) = run("state.show_states", &[], &[]).await;
    assert_eq!(value(states), serde_json::json!(["web", "extra"]));
    let shown = value(run("state.show_sls", &["web"], &[]).await.0);
    assert_eq!(shown["states"][0]["args"]["contents"], serde_json::json!(["hello"]));
    assert_eq!(shown["states"][1]["requisites"][0]["id"], "one");
    let low = value(run("state.show_lowstate", &[], &[("exclude", "extra".into())]).await.0);
    assert_eq!(low.as_array().map(Vec::len), Some(2), "{low}");
    assert_eq!(ids(&run("state.test", &["web"], &[]).await.0), ["one", "two"]);
    assert!(!dir.exists());
    // One id and what it needs; all but one file or id; what is needed cannot be left out.
    assert_eq!(ids(&run("state.sls_id", &["two", "web"], &[]).await.0), ["one", "two"]);
    let (_, error) = run("state.sls_id", &["tow", "web"], &[]).await;
    assert!(error.contains("did you mean `two`?"), "{error}");
    let (outcome, _) = run("state.apply", &[], &[("exclude", "web".into())]).await;
    assert_eq!(ids(&outcome), ["three"]);
    let id = |id: &str| Value::Map([("id".to_owned(), id.into())].into());
    assert_eq!(ids(&run("state.apply", &["web"], &[("exclude", id("two"))]).await.0), ["one"]);
    let (_, error) = run("state.apply", &["web"], &[("exclude", id("one"))]).await;
    assert_eq!(error, "`one` is excluded, and `two` needs it");
    let (_, error) = run("state.apply", &[], &[("exclude", "extar".into())]).await;
    assert!(error.contains("did you mean `extra`?"), "{error}");
    // A function alone; braces in its arguments are no template.
    let kwargs = [("name", path("four").into()), ("contents", "{{ x }}".into())];
    assert_eq!(ids(&run("state.single", &["file.managed"], &kwargs).await.0), [path("four")]);
    assert_eq!(std::fs::read_to_string(path("four")).unwrap(), "{{ x }}\n");
    let (_, error) = run("state.single", &["file.managd"], &kwargs).await;
    assert!(error.contains("did you mean `file.managed`?"), "{error}");
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

/// Peels `web-1` … `web-<count>` on a master of their own.
async fn fleet_of(count: usize) -> (Fleet, Parts, Operator) {
    let fleet = Fleet::start().await;
    let master = fleet.master().await;
    let mut peels = Vec::new();
    for n in 1..=count {
        peels.push(fleet.peel(&format!("web-{n}")).await);
    }
    let operator = fleet.operator().await;
    await_peels(&operator, count as u64).await;
    (fleet, Parts { _master: master, _peels: peels }, operator)
}

/// What lives as long as a test.
struct Parts {
    _master: Master,
    _peels: Vec<Peel>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn portions_come_one_after_another_with_a_pause() {
    let (_fleet, _parts, operator) = fleet_of(3).await;
    let mut job = job(&operator, "*", "test.ping", &[]).await;
    let wait_ms = 300;
    job.batch = Some(Batch { size: 1, wait_ms, fail_limit: None });
    let report = operator.run(job, |_| {}).await.unwrap();
    assert_eq!(report.record.status, JobStatus::Complete, "{report:?}");
    let mut times: Vec<(u64, u64)> = report
        .peels
        .values()
        .map(|(_, result)| result.as_ref().unwrap())
        .map(|result| (result.started_ms.unwrap(), result.finished_ms))
        .collect();
    times.sort_unstable();
    for pair in times.windows(2) {
        assert!(pair[1].0 >= pair[0].1 + wait_ms, "{times:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_stop_the_portions_that_follow() {
    let (_fleet, _parts, operator) = fleet_of(4).await;
    let mut job = job(&operator, "*", "no.such_function", &[]).await;
    job.batch = Some(Batch { size: 1, wait_ms: 0, fail_limit: Some(2) });
    let report = operator.run(job, |_| {}).await.unwrap();
    let count = |wanted| report.peels.values().filter(|(status, _)| *status == wanted).count();
    assert_eq!((count(PeelStatus::Failed), count(PeelStatus::Canceled)), (2, 2), "{report:?}");
    assert_eq!(report.record.status, JobStatus::Failed, "{report:?}");
    assert!(report.record.reason.as_deref().is_some_and(|r| r.contains("2 failures")), "{report:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_canceled_job_ends_where_it_runs_and_begins_nowhere_else() {
    let (_fleet, _parts, operator) = fleet_of(2).await;
    let mut job = job(&operator, "*", "cmd.run", &["sleep 300"]).await;
    job.batch = Some(Batch { size: 1, wait_ms: 0, fail_limit: None });
    let (jid, began) = (job.jid.clone(), std::time::Instant::now());
    let asked = async {
        let mut acknowledged = false;
        while !acknowledged {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let record = operator.job(&jid).await;
            acknowledged = record.is_ok_and(|r| r.status == JobStatus::Running);
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
        operator.cancel(&jid, Some("no longer wanted".to_owned())).await.unwrap();
    };
    let (report, ()) = tokio::join!(operator.run(job, |_| {}), asked);
    let report = report.unwrap();
    assert_eq!(report.record.status, JobStatus::Canceled, "{report:?}");
    assert!(report.peels.values().all(|(status, _)| *status == PeelStatus::Canceled), "{report:?}");
    // The one that ran says so itself; the other was never asked.
    assert_eq!(report.peels.values().filter(|(_, result)| result.is_some()).count(), 1, "{report:?}");
    assert!(began.elapsed() < Duration::from_secs(60), "the command was waited for");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_forgot_its_last_minutes_gets_the_returns_again() {
    let mut fleet = Fleet::start().await;
    let _master = fleet.master().await;
    let (_one, _two) = tokio::join!(fleet.peel("web-1"), fleet.peel("web-2"));
    let operator = fleet.operator().await;
    await_peels(&operator, 2).await;
    let runs = fleet.directory.path().join("runs");
    let append = format!("echo run >> {}", runs.display());
    let count = || std::fs::read_to_string(&runs).map_or(0, |text| text.lines().count());

    // The server's disk as it was before the job.
    let (store, before) = (fleet.server.store(), fleet.directory.path().join("before"));
    let copy = |from: &std::path::Path, to: &std::path::Path| {
        let status = std::process::Command::new("cp").arg("-a").args([from, to]).status();
        assert!(status.unwrap().success());
    };
    fleet.server.kill();
    copy(&store, &before);
    fleet.server.restart();
    await_peels(&operator, 2).await;
    let forgotten = job(&operator, "web-*", "cmd.run", &[&append]).await;
    let jid = forgotten.jid.clone();
    let report = operator.run(forgotten, |_| {}).await.unwrap();
    assert_eq!((report.record.status, count()), (JobStatus::Complete, 2), "{report:?}");

    fleet.server.kill();
    std::fs::remove_dir_all(&store).unwrap();
    copy(&before, &store);
    fleet.server.restart();
    let bus = fleet.bus("reader").await;
    for name in ["web-1", "web-2"] {
        let peel = PeelId::new(name).unwrap();
        let mut found = None;
        for _ in 0..300 {
            found = store::job_return(&bus, &jid, &peel).await.unwrap_or(None);
            if found.is_some() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(found.map(|r| r.status), Some(PeelStatus::Done), "{name}");
    }
    // Nothing runs again, and the next job has masters, epochs and returns as ever.
    await_peels(&operator, 2).await;
    let next = job(&operator, "web-*", "cmd.run", &[&append]).await;
    let report = operator.run(next, |_| {}).await.unwrap();
    assert_eq!((report.record.status, count()), (JobStatus::Complete, 4), "{report:?}");
    assert!(report.peels.values().all(|(status, _)| *status == PeelStatus::Done), "{report:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_return_that_is_stored_after_the_record_is_waited_for() {
    let (fleet, _parts, operator) = fleet_of(2).await;
    let done = job(&operator, "*", "test.ping", &[]).await;
    let template = operator.run(done, |_| {}).await.unwrap();
    // A master hears of returns before the server has stored them. Here the server takes its time with one.
    let job = job(&operator, "*", "test.ping", &[]).await;
    let jid = job.jid.clone();
    let bus = fleet.bus("storage").await;
    let (jobs, returns) = (bus.kv(Bucket::Jobs), bus.kv(Bucket::JobReturns));
    let record = JobRecord { jid: jid.clone(), ..template.record.clone() };
    let targets = TargetChunk { v: record.v, peels: job.targets.peels.clone() };
    jobs.put(&format!("{jid}.targets.0"), codec::encode(&targets).unwrap()).await.unwrap();
    jobs.put(jid.as_str(), codec::encode(&record).unwrap()).await.unwrap();
    let store = async |name: &str| {
        let (_, result) = &template.peels[&PeelId::new(name).unwrap()];
        let result = codec::encode(result.as_ref().unwrap()).unwrap();
        returns.put(&format!("{jid}.{name}"), result).await.unwrap();
    };
    store("web-2").await;
    let later = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        store("web-1").await;
    };
    let (report, ()) = tokio::join!(operator.report(&jid), later);
    let report = report.unwrap();
    assert_eq!(report.record.status, JobStatus::Complete, "{report:?}");
    assert!(report.peels.values().all(|(status, _)| *status == PeelStatus::Done), "{report:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_by_one_peel_stops_nobody_else() {
    let (fleet, _parts, operator) = fleet_of(2).await;
    // Several connections that say as much as they can, as events are said and as answers to masters.
    let mut floods = tokio::task::JoinSet::new();
    for n in 0..8 {
        let bus = fleet.bus("web-3").await;
        floods.spawn(async move {
            let subjects = ["zester.event.web-3.flood".to_owned(), format!("zester.job.J{n}.ack.web-3")];
            loop {
                for subject in &subjects {
                    let _ = bus.publish(subject, vec![7_u8; 1_024]).await;
                }
            }
        });
    }
    for _ in 0..5 {
        let job = job(&operator, "web-*", "test.ping", &[]).await;
        let report = operator.run(job, |_| {}).await.unwrap();
        assert_eq!(report.record.status, JobStatus::Complete, "{report:?}");
    }
    floods.shutdown().await;
}
