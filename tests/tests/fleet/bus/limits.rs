//! The limits of every bucket and stream, reached on a real server: what is too much is refused or the oldest goes, and what is there stays readable.

use super::{connection::options, storage::ready};
use serde_json::Value;
use zester_executor::bus::{
    Bucket, Bus,
    storage::{EVENTS, Layout, ensure, table},
};
use zester_tests::nats::Server;

/// What a server with its usual configuration takes as one message, in bytes.
const PAYLOAD: i64 = 1024 * 1024;
/// As small as streams can be.
const LEAST: Layout = Layout { replicas: 1, size_percent: 1 };

/// A number of a stream's configuration (`config`) or state (`state`).
async fn number(bus: &Bus, stream: &str, part: &str, field: &str) -> i64 {
    let info = bus.request(&format!("$JS.API.STREAM.INFO.{stream}"), "").await.unwrap();
    let info: Value = serde_json::from_slice(&info.payload).unwrap();
    info[part][field].as_i64().unwrap_or_else(|| panic!("{stream} has no {part}.{field}: {info}"))
}

/// A key of a bucket.
fn key(bucket: Bucket, n: usize) -> String {
    if bucket == Bucket::JobReturns { format!("J{n}.web-1") } else { format!("k{n}") }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_value_is_larger_and_no_history_longer_than_the_table_says() {
    let server = Server::start("");
    let bus = ready(&server, "one").await;
    for bucket in Bucket::ALL {
        let (stream, subject) = (bucket.stream(), bucket.write_subject(&key(bucket, 0)));
        let most = number(&bus, &stream, "config", "max_msg_size").await;
        if most < PAYLOAD {
            let large = vec![0_u8; most as usize + 1];
            assert!(bus.store(&subject, None, large).await.is_err(), "{stream} takes more than {most} bytes");
        }
        let history = number(&bus, &stream, "config", "max_msgs_per_subject").await;
        for round in 0..history + 2 {
            let stored = bus.store(&subject, None, format!("{round}")).await;
            let is_refused = bucket.is_write_once() && round > 0;
            assert_eq!(stored.is_err(), is_refused, "{stream}, write {round}: {stored:?}");
        }
        assert_eq!(number(&bus, &stream, "state", "messages").await, history, "{stream}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_bucket_refuses_and_a_full_log_forgets_its_oldest() {
    let server = Server::start("");
    let bus = Bus::connect(options(&server, "one")).await.unwrap();
    ensure(&bus, LEAST).await.unwrap();
    for bucket in Bucket::ALL {
        let stream = bucket.stream();
        let room = number(&bus, &stream, "config", "max_bytes").await;
        let each = number(&bus, &stream, "config", "max_msg_size").await.min(PAYLOAD / 2) / 2;
        let value = vec![7_u8; each as usize];
        let mut refused = false;
        for n in 0..=(room / each) as usize {
            refused = bus.store(&bucket.write_subject(&key(bucket, n)), None, value.clone()).await.is_err();
            if refused {
                break;
            }
        }
        assert!(refused, "{stream} takes more than {room} bytes");
        assert!(number(&bus, &stream, "state", "bytes").await <= room, "{stream}");
        // What was there first is there still; heartbeats alone go by themselves.
        if bucket != Bucket::MasterHeartbeat {
            let first = bus.kv(bucket).get(&key(bucket, 0)).await.unwrap();
            assert_eq!(first.map(|e| e.value.len()), Some(value.len()), "{stream}");
        }
    }
    let logs: Vec<_> = table(LEAST).into_iter().filter(|s| !s.name.starts_with("KV_")).collect();
    assert_eq!(logs.len(), 2);
    for log in logs {
        let subject = if log.name == EVENTS { "zester.event.web-1.full" } else { "zester.job.J.ack.web-1" };
        let room = number(&bus, &log.name, "config", "max_bytes").await;
        let each = number(&bus, &log.name, "config", "max_msg_size").await.min(PAYLOAD / 2) / 2;
        for _ in 0..room / each + 8 {
            bus.store(subject, None, vec![7_u8; each as usize]).await.unwrap();
        }
        assert!(number(&bus, &log.name, "state", "bytes").await <= room, "{}", log.name);
        assert!(number(&bus, &log.name, "state", "first_seq").await > 1, "{}", log.name);
    }
}
