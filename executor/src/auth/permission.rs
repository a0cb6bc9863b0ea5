//! Least-privilege permissions of each role, as the server enforces them.
//!
//! Three rules made the sets. Identity is a whole token of its own, because wildcards and templates match whole tokens. Nobody whose reply
//! subject an attacker may choose can publish commands: a master has two connections for that. Peels get no consumers and no stream
//! operations, only direct gets with the subject in the API subject, which the server holds against the body.

use super::jwt::{Limits, Subjects, UNLIMITED};
use crate::bus::{storage::Bucket, subject};

/// A part in the fleet. Peels and operators are signed by scoped keys: their sets are templates that the server fills with the user's name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Role {
    /// A machine.
    Peel,
    /// A master's connection that answers requests.
    Master,
    /// A master's connection that sends commands, and answers nobody.
    Dispatcher,
    /// An operator.
    Admin,
    /// Creates streams and buckets, at installation and upgrade.
    Provisioner,
    /// Shared by machines that have no credentials yet.
    Enroll,
    /// Of the system account: pushes accounts' claims.
    System,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Peel,
        Self::Master,
        Self::Dispatcher,
        Self::Admin,
        Self::Provisioner,
        Self::Enroll,
        Self::System,
    ];

    /// Its name, as scoped keys and files have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Peel => "peel",
            Self::Master => "master",
            Self::Dispatcher => "dispatcher",
            Self::Admin => "admin",
            Self::Provisioner => "provisioner",
            Self::Enroll => "enroll",
            Self::System => "system",
        }
    }

    /// Reads a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    /// Whether a scoped key signs it. Queue permissions are lost in templates without a word, so roles that have them are signed with
    /// permissions of their own.
    pub const fn is_scoped(self) -> bool {
        !matches!(self, Self::Master | Self::Dispatcher)
    }

    /// The owner of the inbox of a user called `name`: what [`BusOptions::who`](crate::bus::BusOptions) has to be.
    pub fn who(self, name: &str) -> String {
        match self {
            Self::Peel => name.to_owned(),
            other => subject::inbox_owner(other.name(), name),
        }
    }

    /// The template of a scoped role; for the others, the permissions of a user called `{{name()}}`.
    pub fn template(self) -> Limits {
        self.limits("{{name()}}")
    }

    /// The permissions of a user called `name`, which must be a checked name or the template `{{name()}}`.
    pub fn limits(self, name: &str) -> Limits {
        let (mut publish, mut subscribe) = self.subjects(name);
        let inbox = format!("{}.>", subject::inbox(&self.who(name)));
        // A client asks itself for a sign that the server has seen everything.
        publish.push(inbox.clone());
        subscribe.push(inbox);
        let subs = match self {
            Self::Peel => 32,
            Self::Enroll => 4,
            Self::Admin | Self::Provisioner => 1024,
            Self::Master | Self::Dispatcher | Self::System => UNLIMITED,
        };
        let payload = match self {
            Self::Peel => 1 << 20,
            Self::Enroll => 16 << 10,
            _ => UNLIMITED,
        };
        Limits {
            publish: Subjects { allow: publish, deny: Vec::new() },
            subscribe: Subjects { allow: subscribe, deny: Vec::new() },
            subs: Some(subs),
            data: Some(UNLIMITED),
            payload: Some(payload),
            allowed_connection_types: vec!["STANDARD".to_owned()],
        }
    }

    /// Subjects to publish to, and to subscribe to besides the own inbox.
    fn subjects(self, name: &str) -> (Vec<String>, Vec<String>) {
        match self {
            Self::Peel => peel(name),
            Self::Master => master(name),
            Self::Dispatcher => dispatcher(),
            Self::Admin => admin(name),
            Self::Provisioner => (
                texts(&[
                    "$JS.API.INFO",
                    "$JS.API.STREAM.NAMES",
                    "$JS.API.STREAM.LIST",
                    "$JS.API.STREAM.CREATE.*",
                    "$JS.API.STREAM.UPDATE.*",
                    "$JS.API.STREAM.INFO.*",
                ]),
                Vec::new(),
            ),
            Self::Enroll => (texts(&["zester.enroll.*"]), Vec::new()),
            Self::System => (
                texts(&[
                    "$SYS.REQ.CLAIMS.UPDATE",
                    "$SYS.REQ.ACCOUNT.*.CLAIMS.LOOKUP",
                    "$SYS.REQ.SERVER.PING",
                    "$SYS.REQ.SERVER.PING.*",
                ]),
                texts(&["$SYS.ACCOUNT.*.CONNECT", "$SYS.ACCOUNT.*.DISCONNECT"]),
            ),
        }
    }
}

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(|&s| s.to_owned()).collect()
}

/// A value of a bucket by its key, which may have wildcards. The form with the subject is safe to grant: the server refuses a body that
/// asks for anything else.
fn direct_get(bucket: Bucket, key: &str) -> String {
    format!("$JS.API.DIRECT.GET.{}.{}", bucket.stream(), bucket.subject(key))
}

fn peel(name: &str) -> (Vec<String>, Vec<String>) {
    let publish = vec![
        format!("zester.up.{name}.>"),
        format!("zester.job.*.ack.{name}"),
        format!("zester.job.*.progress.{name}"),
        format!("zester.job.*.return.{name}"),
        format!("zester.fact.{name}"),
        // One key: a bucket's size is bounded by the number of peels only if each has a fixed number of keys.
        Bucket::Basket.write_subject(name),
        format!("zester.event.{name}.>"),
        direct_get(Bucket::SettingsFiles, ">"),
        direct_get(Bucket::StateFiles, ">"),
        direct_get(Bucket::Blobs, ">"),
        // The basket is what peels share.
        direct_get(Bucket::Basket, "*"),
        direct_get(Bucket::Secrets, name),
        direct_get(Bucket::Secrets, &format!("{name}.>")),
        // Whether its own returns are there.
        direct_get(Bucket::JobReturns, &format!("*.{name}")),
    ];
    let subscribe = vec![
        format!("zester.cmd.{name}"),
        subject::COMMAND_ALL.to_owned(),
        // A line for each tag; none without tags.
        "zester.grp.{{tag(grp)}}".to_owned(),
        format!("zester.notify.{name}.>"),
        subject::NOTICES_ALL.to_owned(),
        subject::CANCELS.to_owned(),
    ];
    (publish, subscribe)
}

fn master(name: &str) -> (Vec<String>, Vec<String>) {
    let mut publish: Vec<String> = Bucket::ALL
        .into_iter()
        // What a peel returned is the peel's word alone.
        .filter(|bucket| *bucket != Bucket::JobReturns)
        .map(
            |bucket| {
                if bucket == Bucket::Facts { bucket.write_subject("*") } else { bucket.write_subject(">") }
            },
        )
        .collect();
    publish.extend(texts(&[
        "_INBOX.>",
        "zester.job.*.dispatch",
        "zester.job.*.status",
        "$JS.API.INFO",
        "$JS.API.STREAM.INFO.*",
        "$JS.API.STREAM.MSG.GET.*",
        "$JS.API.DIRECT.GET.>",
        "$JS.API.CONSUMER.CREATE.>",
        "$JS.API.CONSUMER.INFO.>",
        "$JS.API.CONSUMER.DELETE.>",
        "$JS.API.CONSUMER.MSG.NEXT.>",
        "$JS.ACK.>",
        "$JS.FC.>",
    ]));
    publish.push(format!("zester.event.{}.>", Role::Master.who(name)));
    let queue = |subject: &str| format!("{subject} {}", subject::MASTERS);
    let subscribe = vec![
        queue(subject::DISPATCH),
        queue(subject::RESOLVE),
        queue(subject::UPWARD),
        "zester.job.>".to_owned(),
        "zester.event.>".to_owned(),
    ];
    (publish, subscribe)
}

fn dispatcher() -> (Vec<String>, Vec<String>) {
    (texts(&["zester.cmd.>", "zester.grp.>", subject::CANCELS]), Vec::new())
}

fn admin(name: &str) -> (Vec<String>, Vec<String>) {
    let mut publish = vec![subject::DISPATCH.to_owned(), subject::RESOLVE.to_owned()];
    // All there is to read but the sealed secrets and the masters' leases.
    for bucket in Bucket::ALL.into_iter().filter(|b| !matches!(b, Bucket::Secrets | Bucket::Leases)) {
        publish.push(direct_get(bucket, ">"));
        // Without a subject it reads many keys in one answer.
        publish.push(format!("$JS.API.DIRECT.GET.{}", bucket.stream()));
    }
    publish.extend(texts(&[
        "$JS.API.DIRECT.GET.job-events",
        "$JS.API.DIRECT.GET.job-events.zester.job.>",
        "$JS.API.DIRECT.GET.events",
        "$JS.API.DIRECT.GET.events.zester.event.>",
        "$JS.API.INFO",
        "$JS.API.STREAM.NAMES",
        // Whether a peel has returned is asked where it is known.
        "$JS.API.STREAM.MSG.GET.KV_job-returns",
        // Keys are listed with it.
        "$JS.API.STREAM.INFO.*",
    ]));
    publish.push(format!("zester.event.{}.>", Role::Admin.who(name)));
    let subscribe = vec![
        "zester.job.*.ack.*".to_owned(),
        "zester.job.*.progress.*".to_owned(),
        "zester.job.*.return.*".to_owned(),
        "zester.job.*.status".to_owned(),
        "zester.event.>".to_owned(),
    ];
    (publish, subscribe)
}

/// Whether a subject without wildcards is matched by a pattern of NATS.
pub fn matches(pattern: &str, subject: &str) -> bool {
    let mut tokens = subject.split('.');
    for part in pattern.split('.') {
        match (part, tokens.next()) {
            (">", Some(_)) => return true,
            ("*", Some(_)) => {}
            (part, Some(token)) if part == token => {}
            _ => return false,
        }
    }
    tokens.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::id::{JobId, PeelId};

    fn may(list: &Subjects, subject: &str) -> bool {
        list.allow.iter().any(|pattern| matches(pattern, subject))
    }

    #[test]
    fn patterns_match_as_the_server_does() {
        for (pattern, subject, fits) in [
            ("a.*", "a.b", true),
            ("a.*", "a.b.c", false),
            ("a.*", "a", false),
            ("a.>", "a.b.c", true),
            ("a.>", "a", false),
            ("a.*.c", "a.b.c", true),
            ("a.b", "a.B", false),
        ] {
            assert_eq!(matches(pattern, subject), fits, "{pattern} {subject}");
        }
    }

    /// The subjects that the code builds are the ones that the sets allow.
    #[test]
    fn the_sets_allow_what_the_subjects_say() {
        let (peel, other) = (PeelId::new("web-1").unwrap(), PeelId::new("web-2").unwrap());
        let jid = JobId::generate();
        let set = Role::Peel.limits("web-1");
        for &report in subject::Report::ALL {
            assert!(may(&set.publish, &subject::report(&jid, report, &peel)));
            assert!(!may(&set.publish, &subject::report(&jid, report, &other)));
            assert!(may(&Role::Admin.limits("alice").subscribe, &subject::report(&jid, report, &peel)));
        }
        for &verb in subject::Verb::ALL {
            assert!(may(&set.publish, &subject::up(&peel, verb)));
            assert!(!may(&set.publish, &subject::up(&other, verb)));
        }
        assert!(may(&set.publish, &subject::fact(&peel)) && !may(&set.publish, &subject::fact(&other)));
        assert!(may(&set.publish, &subject::event(peel.as_str(), "a.b")));
        assert!(
            may(&set.subscribe, &subject::command(&peel)) && !may(&set.subscribe, &subject::command(&other))
        );
        assert!(may(&set.subscribe, &subject::job(&jid, subject::Record::Cancel)));
    }

    #[test]
    fn nobody_else_publishes_commands() {
        for role in Role::ALL {
            let set = role.limits("x");
            for command in ["zester.cmd.web-1", "zester.cmd.all", "zester.grp.web", "zester.job.j.cancel"] {
                assert_eq!(may(&set.publish, command), role == Role::Dispatcher, "{role:?} {command}");
            }
        }
    }

    #[test]
    fn no_name_of_a_peel_is_another_roles_inbox() {
        for role in Role::ALL.into_iter().filter(|role| *role != Role::Peel) {
            let owner = role.who("x");
            let first = owner.split('.').next().unwrap();
            assert!(PeelId::new(first).is_err(), "{owner}");
        }
    }
}
