//! Buckets and streams as the table makes them.

use super::connection::options;
use std::time::Duration;
use tokio::time::Instant;
use zester_executor::bus::{
    Bucket, Bus, CasError, HeaderMap, Once,
    jetstream::code,
    storage::{self, Difference, Layout},
};
use zester_tests::nats::Server;

/// A connection to a server with all streams.
pub async fn ready(server: &Server, who: &str) -> Bus {
    let bus = Bus::connect(options(server, who)).await.unwrap();
    storage::ensure(&bus, SMALL).await.unwrap();
    bus
}

/// Little enough for any test machine's disk.
pub const SMALL: Layout = Layout { replicas: 1, size_percent: 2 };

#[tokio::test(flavor = "multi_thread")]
async fn the_table_is_made_once_and_kept() {
    let server = Server::start("");
    let bus = Bus::connect(options(&server, "one")).await.unwrap();
    let missing = storage::compare(&bus, SMALL).await.unwrap();
    assert_eq!(missing.len(), Bucket::ALL.len() + 2, "{missing:?}");
    // Two masters at once.
    let other = Bus::connect(options(&server, "two")).await.unwrap();
    let (a, b) = tokio::join!(storage::ensure(&bus, SMALL), storage::ensure(&other, SMALL));
    a.unwrap();
    b.unwrap();
    assert_eq!(storage::compare(&bus, SMALL).await.unwrap(), []);
    assert_eq!(storage::ensure(&bus, SMALL).await.unwrap(), []);
    // Somebody loosens a bucket.
    let info = bus.request("$JS.API.STREAM.INFO.KV_basket", "").await.unwrap();
    let mut config = serde_json::from_slice::<serde_json::Value>(&info.payload).unwrap()["config"].clone();
    config["allow_direct"] = false.into();
    config["max_msgs_per_subject"] = 7.into();
    // More room is an operator's right.
    config["max_bytes"] = (1i64 << 30).into();
    bus.request("$JS.API.STREAM.UPDATE.KV_basket", config.to_string()).await.unwrap();
    let found = storage::ensure(&bus, SMALL).await.unwrap();
    let mut fields: Vec<&str> = found
        .iter()
        .map(|d| match d {
            Difference::Field { field, .. } => field.as_str(),
            Difference::Missing { .. } => "missing",
        })
        .collect();
    fields.sort_unstable();
    assert_eq!(fields, ["allow_direct", "max_msgs_per_subject"]);
    assert_eq!(storage::compare(&bus, SMALL).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn returns_are_written_once_and_recorded_as_events() {
    let server = Server::start("");
    let bus = ready(&server, "one").await;
    let returns = bus.kv(Bucket::JobReturns);
    let stored = bus.store("zester.job.j1.return.web-1", None, "first").await.unwrap();
    assert_eq!(stored.stream, "KV_job-returns");
    let refused = bus.store("zester.job.j1.return.web-1", None, "second").await.unwrap_err();
    assert_eq!(refused.code(), Some(code::LIMIT), "{refused}");
    assert_eq!(&returns.get("j1.web-1").await.unwrap().unwrap().value[..], b"first");
    // The same again after a lost answer is a success, something else is told apart.
    assert_eq!(returns.put_once("j1.web-1", "first").await.unwrap(), Once::Same(stored.sequence));
    assert!(
        matches!(returns.put_once("j1.web-1", "second").await.unwrap(), Once::Other(e) if e.value == "first")
    );
    assert!(matches!(returns.put_once("j1.web-2", "other").await.unwrap(), Once::Stored(_)));
    bus.store("zester.job.j1.ack.web-1", None, "ack").await.unwrap();
    bus.store("zester.job.j1.dispatch", None, "dispatch").await.unwrap();
    // Progress is not stored.
    assert!(bus.store("zester.job.j1.progress.web-1", None, "x").await.is_err());
    let events = "$JS.API.DIRECT.GET.job-events.zester.job.j1.return.web-1";
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        let event = bus.request(events, "").await.unwrap();
        if event.status.is_none() {
            assert_eq!(&event.payload[..], b"first");
            break;
        }
        assert!(Instant::now() < end, "the return is not among the events");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn facts_are_captured_and_nothing_can_be_erased() {
    let server = Server::start("");
    let bus = ready(&server, "one").await;
    for n in 0..7 {
        bus.store("zester.fact.web-1", None, format!("facts {n}")).await.unwrap();
    }
    let facts = bus.kv(Bucket::Facts);
    assert_eq!(&facts.get("web-1").await.unwrap().unwrap().value[..], b"facts 6");
    assert_eq!(facts.get("web-2").await.unwrap(), None);
    // The bucket cannot be written beside the capture.
    assert!(bus.store("$KV.facts.web-1", None, "forged").await.is_err());
    for rollup in ["all", "sub"] {
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Rollup", rollup);
        let refused = bus.store("zester.fact.web-1", Some(headers), "x").await.unwrap_err();
        assert_eq!(refused.code(), Some(code::ROLLUP_REFUSED), "{refused}");
    }
    for call in ["PURGE.KV_facts", "MSG.DELETE.KV_facts"] {
        let answer = bus.request(&format!("$JS.API.STREAM.{call}"), r#"{"seq":7}"#).await.unwrap();
        assert!(String::from_utf8_lossy(&answer.payload).contains("\"error\""), "{call}");
    }
    let info = bus.request("$JS.API.STREAM.INFO.KV_facts", "").await.unwrap();
    let info: serde_json::Value = serde_json::from_slice(&info.payload).unwrap();
    assert_eq!(info["state"]["messages"], 5, "history of five");
}

#[tokio::test(flavor = "multi_thread")]
async fn compare_and_set_has_one_winner() {
    let server = Server::start("");
    let bus = ready(&server, "one").await;
    let jobs = bus.kv(Bucket::Jobs);
    let first = jobs.create("j1", "a").await.unwrap();
    assert_eq!(jobs.create("j1", "b").await, Err(CasError::Conflict));
    let writers = (0..20).map(|n| {
        let jobs = jobs.clone();
        tokio::spawn(async move { jobs.cas("j1", format!("writer {n}"), first).await })
    });
    let mut won = Vec::new();
    for writer in writers.collect::<Vec<_>>() {
        match writer.await.unwrap() {
            Ok(revision) => won.push(revision),
            Err(error) => assert_eq!(error, CasError::Conflict),
        }
    }
    assert_eq!(won.len(), 1);
    let latest = jobs.latest("j1").await.unwrap().unwrap();
    assert_eq!(latest.revision, won[0]);
    assert!(latest.created_ms > 1_700_000_000_000);
    // Deleted, it can be created again; the marker is not a value.
    let marker = jobs.delete("j1", won[0]).await.unwrap();
    assert_eq!(jobs.get("j1").await.unwrap(), None);
    assert_eq!(jobs.latest("j1").await.unwrap(), None);
    assert_eq!(jobs.latest_or_deleted("j1").await.unwrap().unwrap().revision, marker);
    assert!(jobs.create("j1", "again").await.unwrap() > marker);
    assert!(jobs.get("../x").await.is_err() && jobs.put("a.>", "x").await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_whose_answer_is_lost_is_settled() {
    let mut server = Server::start("");
    let bus = ready(&server, "one").await;
    let jobs = bus.kv(Bucket::Jobs);
    let first = jobs.create("j1", "a").await.unwrap();
    // The server stands still with the request on its way: nobody knows.
    server.signal("STOP");
    let lost = {
        let jobs = jobs.clone();
        tokio::spawn(async move { jobs.cas("j1", "mine", first).await })
    };
    tokio::time::sleep(Duration::from_millis(200)).await;
    server.kill();
    assert!(matches!(lost.await.unwrap(), Err(CasError::Ambiguous(_))));
    // The same through the settling way: it goes on until the server is back, and ends with the truth.
    let settled = {
        let jobs = jobs.clone();
        let deadline = Instant::now() + Duration::from_secs(60);
        tokio::spawn(async move { jobs.cas_settled("j1", "settled", first, None, deadline).await })
    };
    server.restart();
    let result = settled.await.unwrap();
    let latest = jobs.latest("j1").await.unwrap().unwrap();
    match result {
        Ok(revision) => assert_eq!((revision, &latest.value[..]), (latest.revision, &b"settled"[..])),
        // The first write had been done after all.
        Err(CasError::Conflict) => assert_eq!(&latest.value[..], b"mine"),
        Err(other) => panic!("{other}"),
    }
    // A value that stands there already under our nonce is our own write.
    let again = jobs.cas_settled("j1", "x", 1, None, Instant::now() + Duration::from_secs(5)).await;
    assert_eq!(again, Err(CasError::Conflict));
    // Without a server there is no truth to be had.
    server.kill();
    bus.disconnected().await;
    let deadline = Instant::now() + Duration::from_millis(300);
    let unknown = jobs.cas_settled("j1", "y", latest.revision, None, deadline).await;
    assert!(matches!(unknown, Err(CasError::Ambiguous(_))), "{unknown:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_was_done_without_an_answer_is_ones_own() {
    let server = Server::start("");
    let bus = ready(&server, "one").await;
    let jobs = bus.kv(Bucket::Jobs);
    let first = jobs.create("j1", "a").await.unwrap();
    server.signal("STOP");
    let settled = {
        let jobs = jobs.clone();
        let deadline = Instant::now() + Duration::from_secs(60);
        tokio::spawn(async move { jobs.cas_settled("j1", "mine", first, None, deadline).await })
    };
    while bus.counters().in_flight == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // Time for the bytes to reach the socket: what the server reads there when it goes on, it does.
    tokio::time::sleep(Duration::from_millis(300)).await;
    bus.reconnect().await.unwrap();
    bus.disconnected().await;
    server.signal("CONT");
    let revision = settled.await.unwrap().unwrap();
    let latest = jobs.latest("j1").await.unwrap().unwrap();
    assert_eq!((&latest.value[..], latest.revision), (&b"mine"[..], revision));
    // Written once, though asked for twice.
    assert_eq!(revision, first + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_values_in_one_request() {
    let server = Server::start("");
    let bus = ready(&server, "one").await;
    let basket = bus.kv(Bucket::Basket);
    let keys: Vec<String> = (0..1200).map(|n| format!("web-{n}")).collect();
    for key in keys.iter().step_by(2) {
        basket.put(key, key.clone()).await.unwrap();
    }
    let mut found = basket.get_many(&keys).await.unwrap();
    found.sort_by_key(|e| e.revision);
    assert_eq!(found.len(), 600);
    assert!(found.iter().zip(keys.iter().step_by(2)).all(|(e, k)| e.key == *k && e.value == *k));
    assert_eq!(basket.get_many(&["nobody".to_owned()]).await.unwrap(), []);
}
