//! Connections: refusals, losses, the end.

use std::time::{Duration, Instant};
use zester_executor::bus::{Bus, BusError, BusOptions, ConnectionState, reconnect::Backoff};
use zester_tests::nats::Server;

/// Options with short delays.
pub fn options(server: &Server, who: &str) -> BusOptions {
    let backoff = Backoff {
        wait: Duration::from_millis(50),
        jitter: (Duration::from_millis(10), Duration::from_millis(50)),
        longest: Duration::from_millis(200),
        steady: Duration::from_secs(1),
    };
    BusOptions { backoff, ..BusOptions::new([server.url()], who) }
}

const RESTRICTED: &str = r#"
authorization {
  users: [
    { user: peel, password: x, permissions: { publish: ["zester.up.peel.>", "$JS.API.INFO"], subscribe: ["_INBOX.peel.>", "zester.cmd.peel", "zester.dispatch zester.masters"] } }
  ]
}
no_auth_user: peel
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_subject_is_an_error_at_once() {
    let server = Server::start(RESTRICTED);
    let bus = Bus::connect(options(&server, "peel")).await.unwrap();
    let long = Duration::from_secs(30);
    let begun = Instant::now();
    let refused = bus.request_with("zester.cmd.other", None, "x", long).await.unwrap_err();
    assert_eq!(refused, BusError::Denied { subject: "zester.cmd.other".into() });
    // Case matters in subjects, and the server's words keep it.
    let refused = bus.request_with("zester.cmd.Other", None, "x", long).await.unwrap_err();
    assert_eq!(refused, BusError::Denied { subject: "zester.cmd.Other".into() });
    assert!(begun.elapsed() < long, "refusals are not waited for");
    let refused = bus.subscribe("zester.cmd.other").await.unwrap_err();
    assert_eq!(refused, BusError::Denied { subject: "zester.cmd.other".into() });
    assert!(bus.queue_subscribe("zester.dispatch", "other").await.is_err());
    assert!(bus.queue_subscribe("zester.dispatch", "zester.masters").await.is_ok());
    assert!(bus.subscribe("zester.cmd.peel").await.is_ok());
    // Allowed, and nobody there.
    let nobody = bus.request("zester.up.peel.pending", "x").await.unwrap_err();
    assert_eq!(nobody, BusError::NoResponders { subject: "zester.up.peel.pending".into() });
    // A publish without an answer leaves its trace.
    bus.publish("zester.job.x.return.other", "x").await.unwrap();
    bus.round_trip().await.unwrap();
    assert!(
        bus.violations().iter().any(|v| v.subject == "zester.job.x.return.other"),
        "{:?}",
        bus.violations()
    );
    assert_eq!(bus.counters().in_flight, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_is_noticed_and_found_again() {
    let mut server = Server::start("");
    let bus = Bus::connect(options(&server, "peel")).await.unwrap();
    let mut commands = bus.subscribe("zester.cmd.peel").await.unwrap();
    let mut deaf = bus.subscribe("deaf").await.unwrap();
    let asked = {
        let bus = bus.clone();
        tokio::spawn(async move { bus.request_with("deaf", None, "x", Duration::from_secs(60)).await })
    };
    deaf.next().await.unwrap();
    let session = bus.connected().await.unwrap();
    server.kill();
    bus.disconnected().await;
    // What was in flight does not wait for a minute.
    assert_eq!(asked.await.unwrap().unwrap_err(), BusError::Disconnected);
    assert!(matches!(*bus.state().borrow(), ConnectionState::Disconnected { .. }));
    assert_eq!(bus.publish("a", "x").await.unwrap_err(), BusError::Disconnected);
    server.restart();
    assert_eq!(bus.reconnected(session).await.unwrap(), session + 1);
    // Subscriptions are there again.
    bus.publish("zester.cmd.peel", "hello").await.unwrap();
    assert_eq!(&commands.next().await.unwrap().payload[..], b"hello");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peel_starts_without_a_network() {
    let mut server = Server::start("");
    server.kill();
    assert!(matches!(Bus::connect(options(&server, "peel")).await, Err(BusError::Connect { .. })));
    let bus = Bus::open(options(&server, "peel")).await.unwrap();
    assert_eq!(bus.request("a", "x").await.unwrap_err(), BusError::Disconnected);
    let mut commands = bus.subscribe("zester.cmd.peel").await.unwrap();
    server.restart();
    assert_eq!(bus.connected().await.unwrap(), 1);
    bus.round_trip().await.unwrap();
    bus.publish("zester.cmd.peel", "hello").await.unwrap();
    assert_eq!(&commands.next().await.unwrap().payload[..], b"hello");
}

#[tokio::test(flavor = "multi_thread")]
async fn sizes_are_checked_before_sending() {
    let server = Server::start("max_payload: 4096");
    let bus = Bus::connect(options(&server, "peel")).await.unwrap();
    assert_eq!(bus.max_payload(), 4096);
    let refused = bus.publish("a", vec![0; 5000]).await.unwrap_err();
    assert_eq!(refused, BusError::TooLarge { subject: "a".into(), size: 5000, limit: 4096 });
    assert!(matches!(bus.request("a", vec![0; 5000]).await, Err(BusError::TooLarge { .. })));
    bus.round_trip().await.unwrap();
    assert!(matches!(bus.server_version(), Some((2, 11.., _))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_under_load_loses_nothing() {
    const MESSAGES: u32 = 200_000;
    let server = Server::start("");
    let publisher = Bus::connect(options(&server, "publisher")).await.unwrap();
    let counter = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
    let mut loops = Vec::new();
    let mut members = Vec::new();
    for n in 0..8 {
        let bus = Bus::connect(options(&server, &format!("master{n}"))).await.unwrap();
        let mut messages = bus.queue_subscribe("work", "zester.masters").await.unwrap();
        let counter = counter.clone();
        loops.push(tokio::spawn(async move {
            while messages.next().await.is_some() {
                counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            }
        }));
        members.push(bus);
    }
    let load = {
        let publisher = publisher.clone();
        tokio::spawn(async move {
            for n in 0..MESSAGES {
                publisher.publish("work", n.to_be_bytes().to_vec()).await.unwrap();
                if n % 1000 == 0 {
                    // Keeps the members' queues from filling up: this test is about draining.
                    publisher.round_trip().await.unwrap();
                }
            }
            publisher.round_trip().await.unwrap();
        })
    };
    // All but one leave while it goes on.
    let last = members.pop().unwrap();
    for bus in members {
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(bus.drain().await, zester_executor::bus::drain::Drained { unfinished: 0, flushed: true });
        assert_eq!(*bus.state().borrow(), ConnectionState::Closed);
        assert_eq!(bus.publish("a", "x").await.unwrap_err(), BusError::Closed);
    }
    load.await.unwrap();
    assert_eq!(last.drain().await.unfinished, 0);
    for handler in loops {
        handler.await.unwrap();
    }
    assert_eq!(counter.load(std::sync::atomic::Ordering::Relaxed), MESSAGES);
}

#[tokio::test(flavor = "multi_thread")]
async fn dropped_messages_are_counted() {
    let server = Server::start("");
    let bus =
        Bus::connect(BusOptions { subscription_capacity: 10, ..options(&server, "peel") }).await.unwrap();
    let mut dropped = bus.dropped();
    let mut slow = bus.subscribe("flood").await.unwrap();
    for _ in 0..100 {
        bus.publish("flood", "x").await.unwrap();
    }
    // The notice of a drop comes from another task than the messages.
    let wait = dropped.wait_for(|n| *n == 90);
    tokio::time::timeout(Duration::from_secs(60), wait).await.expect("all drops are told").unwrap();
    let mut got = 0;
    bus.round_trip().await.unwrap();
    while let Ok(Some(_)) = tokio::time::timeout(Duration::from_millis(100), slow.next()).await {
        got += 1;
    }
    assert_eq!((got, bus.counters().dropped), (10, 90));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_waits_for_work_and_ends_without_it() {
    let server = Server::start("");
    let other = Bus::connect(options(&server, "other")).await.unwrap();
    let mut answers = other.subscribe("answers").await.unwrap();
    let bus = Bus::connect(options(&server, "one")).await.unwrap();
    let work = bus.work();
    let worker = {
        let bus = bus.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(300)).await;
            // Work may still publish while the drain waits for it.
            bus.publish("answers", "late").await.unwrap();
            drop(work);
        })
    };
    assert_eq!(bus.drain().await.unfinished, 0);
    worker.await.unwrap();
    assert_eq!(&answers.next().await.unwrap().payload[..], b"late");
    // Somebody who never lets go is cut off, and counted.
    let hasty = BusOptions { drain_timeout: Duration::from_millis(200), ..options(&server, "two") };
    let bus = Bus::connect(hasty).await.unwrap();
    let forgotten = bus.subscribe("a").await.unwrap();
    assert_eq!(bus.drain().await.unfinished, 1);
    assert!(forgotten.refusal().is_none());
    assert!(bus.subscribe("b").await.is_err());
}
