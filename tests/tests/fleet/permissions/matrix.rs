//! Role × subject: allowed or not, to publish and to subscribe.

use std::{collections::BTreeMap, time::Duration};
use zester_executor::{
    auth::{
        installation::{Access, MasterKeys},
        permission::Role,
    },
    bus::{Bus, BusError, violation::Violation},
};
use zester_tests::secured::Secured;

const PEEL: u8 = 1;
const MASTER: u8 = 2;
const DISPATCHER: u8 = 4;
const ADMIN: u8 = 8;
const PROVISIONER: u8 = 16;
const ENROLL: u8 = 32;
const NOBODY: u8 = 0;

/// Columns, in the order of the bits: all roles of the fleet's account. The peel is `web-1` in the group `web`, the operator `alice`.
const ROLES: [&str; 6] = ["peel", "master", "dispatcher", "admin", "provisioner", "enroll"];

/// Who may publish there. Subjects of JetStream's API that do something get bodies that the server refuses, after the permissions.
const PUBLISH: &[(&str, u8)] = &[
    // Commands.
    ("zester.cmd.web-1", DISPATCHER),
    ("zester.cmd.web-2", DISPATCHER),
    ("zester.cmd.all", DISPATCHER),
    ("zester.grp.web", DISPATCHER),
    ("zester.job.J.cancel", DISPATCHER),
    // What is asked of masters.
    ("zester.dispatch", ADMIN),
    ("zester.target.resolve", ADMIN),
    ("zester.up.web-1.pending", PEEL),
    ("zester.up.web-2.pending", NOBODY),
    ("zester.enroll.x", ENROLL),
    // What peels say of jobs, and masters.
    ("zester.job.J.ack.web-1", PEEL),
    ("zester.job.J.ack.web-2", NOBODY),
    ("zester.job.J.progress.web-1", PEEL),
    ("zester.job.J.progress.web-2", NOBODY),
    ("zester.job.J.return.web-1", PEEL),
    ("zester.job.J.return.web-2", NOBODY),
    ("zester.job.J.dispatch", MASTER),
    ("zester.job.J.status", MASTER),
    // Values.
    ("zester.fact.web-1", PEEL | MASTER),
    ("zester.fact.web-2", MASTER),
    ("$KV.facts.web-1", NOBODY),
    ("$KV.basket.web-1", PEEL | MASTER),
    ("$KV.basket.web-2", MASTER),
    ("$KV.basket.web-1.x", MASTER),
    ("$KV.jobs.J", MASTER),
    ("$KV.job-returns.J.web-1", NOBODY),
    ("$KV.secrets.web-1", MASTER),
    ("$KV.settings-files.x", MASTER),
    ("$KV.state-files.x", MASTER),
    ("$KV.blobs.x", MASTER),
    ("$KV.master-heartbeat.x", MASTER),
    ("$KV.enrollments.x", MASTER),
    ("$KV.leases.x", MASTER),
    // Events and notices.
    ("zester.event.web-1.a.b", PEEL),
    ("zester.event.web-2.a.b", NOBODY),
    ("zester.event._admin.alice.a", ADMIN),
    ("zester.event._admin.bob.a", NOBODY),
    ("zester.event._master.master.a", MASTER),
    ("zester.notify.web-1.x", NOBODY),
    ("zester.notify._all.x", NOBODY),
    // Inboxes.
    ("_INBOX.web-1.x", PEEL | MASTER),
    ("_INBOX.web-2.x", MASTER),
    ("_INBOX._admin.alice.x", ADMIN | MASTER),
    ("_INBOX._master.master.x", MASTER),
    ("_INBOX._dispatcher.master.x", DISPATCHER | MASTER),
    // Reading.
    ("$JS.API.DIRECT.GET.KV_settings-files.$KV.settings-files.x", PEEL | MASTER | ADMIN),
    ("$JS.API.DIRECT.GET.KV_state-files.$KV.state-files.x", PEEL | MASTER | ADMIN),
    ("$JS.API.DIRECT.GET.KV_blobs.$KV.blobs.x", PEEL | MASTER | ADMIN),
    ("$JS.API.DIRECT.GET.KV_basket.$KV.basket.web-2", PEEL | MASTER | ADMIN),
    ("$JS.API.DIRECT.GET.KV_secrets.$KV.secrets.web-1", PEEL | MASTER),
    ("$JS.API.DIRECT.GET.KV_secrets.$KV.secrets.web-1.x", PEEL | MASTER),
    ("$JS.API.DIRECT.GET.KV_secrets.$KV.secrets.web-2", MASTER),
    ("$JS.API.DIRECT.GET.KV_facts.$KV.facts.web-1", MASTER | ADMIN),
    ("$JS.API.DIRECT.GET.KV_jobs.$KV.jobs.J", MASTER | ADMIN),
    ("$JS.API.DIRECT.GET.KV_job-returns.$KV.job-returns.J.web-1", PEEL | MASTER | ADMIN),
    ("$JS.API.DIRECT.GET.KV_job-returns.$KV.job-returns.J.web-2", MASTER | ADMIN),
    ("$JS.API.DIRECT.GET.KV_job-returns.$KV.job-returns.J.web-1.x", MASTER | ADMIN),
    ("$JS.API.DIRECT.GET.KV_enrollments.$KV.enrollments.x", MASTER | ADMIN),
    ("$JS.API.DIRECT.GET.KV_leases.$KV.leases.x", MASTER),
    ("$JS.API.DIRECT.GET.KV_secrets", MASTER),
    ("$JS.API.DIRECT.GET.KV_jobs", MASTER | ADMIN),
    ("$JS.API.DIRECT.GET.KV_settings-files", MASTER | ADMIN),
    ("$JS.API.DIRECT.GET.job-events", MASTER | ADMIN),
    ("$JS.API.STREAM.MSG.GET.KV_secrets", MASTER),
    ("$JS.API.STREAM.MSG.GET.KV_jobs", MASTER),
    ("$JS.API.STREAM.MSG.GET.KV_job-returns", MASTER | ADMIN),
    ("$JS.API.STREAM.INFO.KV_jobs", MASTER | ADMIN | PROVISIONER),
    ("$JS.API.STREAM.NAMES", ADMIN | PROVISIONER),
    ("$JS.API.INFO", MASTER | ADMIN | PROVISIONER),
    // Making and destroying.
    ("$JS.API.STREAM.CREATE.KV_jobs", PROVISIONER),
    ("$JS.API.STREAM.UPDATE.KV_jobs", PROVISIONER),
    ("$JS.API.STREAM.DELETE.none", NOBODY),
    ("$JS.API.STREAM.PURGE.none", NOBODY),
    ("$JS.API.STREAM.MSG.DELETE.none", NOBODY),
    ("$JS.API.STREAM.RESTORE.none", NOBODY),
    ("$JS.API.STREAM.SNAPSHOT.none", NOBODY),
    ("$JS.API.CONSUMER.CREATE.KV_facts", MASTER),
    ("$JS.API.CONSUMER.CREATE.KV_secrets.c.$KV.secrets.web-1", MASTER),
    ("$JS.API.CONSUMER.DURABLE.CREATE.KV_facts.c", NOBODY),
    ("$JS.API.CONSUMER.MSG.NEXT.KV_facts.c", MASTER),
    ("$JS.API.CONSUMER.DELETE.KV_facts.c", MASTER),
    ("$JS.ACK.KV_facts.c.1", MASTER),
    ("$JS.FC.KV_facts.c.1", MASTER),
    // The system's.
    ("$SYS.REQ.CLAIMS.UPDATE", NOBODY),
    ("$SYS.REQ.SERVER.PING", NOBODY),
];

/// Who may subscribe there, with the queue group where there is one.
const SUBSCRIBE: &[(&str, Option<&str>, u8)] = &[
    (">", None, NOBODY),
    ("zester.>", None, NOBODY),
    ("zester.cmd.web-1", None, PEEL),
    ("zester.cmd.web-2", None, NOBODY),
    ("zester.cmd.*", None, NOBODY),
    ("zester.cmd.all", None, PEEL),
    ("zester.grp.web", None, PEEL),
    ("zester.grp.db", None, NOBODY),
    ("zester.notify.web-1.>", None, PEEL),
    ("zester.notify.web-2.>", None, NOBODY),
    ("zester.notify._all.>", None, PEEL),
    ("zester.job.*.cancel", None, PEEL | MASTER),
    ("zester.job.J.ack.*", None, MASTER | ADMIN),
    ("zester.job.J.progress.*", None, MASTER | ADMIN),
    ("zester.job.J.return.*", None, MASTER | ADMIN),
    ("zester.job.J.status", None, MASTER | ADMIN),
    ("zester.job.J.dispatch", None, MASTER),
    ("zester.dispatch", None, NOBODY),
    ("zester.dispatch", Some("zester.masters"), MASTER),
    ("zester.dispatch", Some("other"), NOBODY),
    ("zester.target.resolve", Some("zester.masters"), MASTER),
    ("zester.target.resolve", Some("other"), NOBODY),
    ("zester.up.>", None, NOBODY),
    ("zester.up.>", Some("zester.masters"), MASTER),
    ("zester.up.web-1.pending", Some("zester.masters"), MASTER),
    ("zester.up.>", Some("other"), NOBODY),
    ("zester.fact.*", None, NOBODY),
    ("zester.event.>", None, MASTER | ADMIN),
    ("zester.enroll.*", None, NOBODY),
    ("_INBOX.>", None, NOBODY),
    ("_INBOX.*.x", None, NOBODY),
    ("_INBOX.web-1.>", None, PEEL),
    ("_INBOX.web-2.>", None, NOBODY),
    ("_INBOX._admin.alice.>", None, ADMIN),
    ("_INBOX._admin.bob.>", None, NOBODY),
    ("_INBOX._master.master.>", None, MASTER),
    ("_INBOX._dispatcher.master.>", None, DISPATCHER),
    ("$KV.secrets.>", None, NOBODY),
    ("$KV.jobs.>", None, NOBODY),
    ("$JS.API.>", None, NOBODY),
    ("$JS.EVENT.>", None, NOBODY),
    ("$SYS.>", None, NOBODY),
    ("$SRV.>", None, NOBODY),
];

async fn connections(secured: &Secured) -> BTreeMap<&'static str, Bus> {
    let master = MasterKeys::load(&secured.installation.master()).unwrap();
    let admin = Access::load(&secured.installation.admin()).unwrap();
    let enroll = {
        let path = secured.installation.nats().join("../enroll/enroll.creds");
        let (credentials, claims) = zester_executor::auth::creds::load(&path).unwrap();
        let mut options = secured.peel("enroll", credentials);
        options.who = Role::Enroll.who(&claims.name);
        options
    };
    let options = [
        ("peel", secured.peel("web-1", secured.peel_credentials("web-1", &["web"], 600))),
        ("master", secured.options(master.responder)),
        ("dispatcher", secured.options(master.dispatcher)),
        ("admin", secured.options(admin)),
        ("provisioner", secured.safe(Role::Provisioner)),
        ("enroll", enroll),
    ];
    let mut all = BTreeMap::new();
    for (name, options) in options {
        all.insert(name, secured.connect(&options).await);
    }
    all
}

/// What the server refused since the last call. Refusals come in order: the one of a subject that nobody may publish to is the last.
async fn refused(bus: &Bus, probe: &mut usize) -> Vec<Violation> {
    let (last, this) = (format!("probe.{probe}"), format!("probe.{}", *probe + 1));
    *probe += 1;
    bus.publish(&this, "x").await.unwrap();
    for _ in 0..3_000 {
        let all = bus.violations();
        if all.iter().any(|v| v.subject == this) {
            let since = all.iter().position(|v| v.subject == last).map_or(0, |at| at + 1);
            return all[since..].iter().filter(|v| v.subject != this).cloned().collect();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the server does not refuse `{this}`");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_role_may_what_it_needs_and_nothing_else() {
    let secured = Secured::start().await;
    let connections = connections(&secured).await;
    let (mut wrong, mut cells) = (Vec::new(), 0);
    for (index, role) in ROLES.iter().enumerate() {
        let (bus, mut probe) = (&connections[role], 0);
        refused(bus, &mut probe).await;
        for (subject, allowed) in PUBLISH {
            cells += 1;
            bus.publish(subject, "x").await.unwrap();
            let refusals = refused(bus, &mut probe).await;
            assert!(refusals.iter().all(|v| v.subject == *subject), "{refusals:?}");
            let (expected, found) = (allowed & (1 << index) != 0, refusals.is_empty());
            if expected != found {
                wrong.push(format!("{role} publishes to {subject}: {found}, should be {expected}"));
            }
        }
        for (subject, queue, allowed) in SUBSCRIBE {
            cells += 1;
            let made = match queue {
                Some(queue) => bus.queue_subscribe(subject, queue).await,
                None => bus.subscribe(subject).await,
            };
            if let Err(error) = &made {
                assert!(matches!(error, BusError::Denied { .. }), "{role} {subject}: {error}");
            }
            let found = refused(bus, &mut probe).await.is_empty();
            let expected = allowed & (1 << index) != 0;
            if expected != found {
                wrong
                    .push(format!("{role} subscribes to {subject} {queue:?}: {found}, should be {expected}"));
            }
        }
    }
    println!("{cells} cells");
    assert!(wrong.is_empty(), "{} of {cells} cells are wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(cells >= 130);
    // Nothing of that has harmed the streams.
    let after = zester_executor::bus::storage::compare(
        &connections["provisioner"],
        zester_executor::bus::storage::Layout { size_percent: 5, ..Default::default() },
    );
    assert_eq!(after.await.unwrap(), []);
}
