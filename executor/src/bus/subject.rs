//! Subjects as types: what is published where, and what a received subject says of its sender.
//!
//! The server checks subjects, never payloads. So who sent a message is read from the subject alone.

use super::id::{AdminId, IdError, JobId, PeelId, check_id};

/// The queue group of all masters.
pub const MASTERS: &str = "zester.masters";
/// Jobs of operators: request and reply.
pub const DISPATCH: &str = "zester.dispatch";
/// Questions to the facts index: request and reply.
pub const RESOLVE: &str = "zester.target.resolve";
/// Signed envelopes for all peels.
pub const COMMAND_ALL: &str = "zester.cmd.all";
/// Cancellations of all jobs.
pub const CANCELS: &str = "zester.job.*.cancel";
/// Requests of all peels.
pub const UPWARD: &str = "zester.up.>";
/// Acknowledgements of all jobs.
pub const ACKS: &str = "zester.job.*.ack.*";
/// Returns of all jobs.
pub const RETURNS: &str = "zester.job.*.return.*";

/// `zester.cmd.<peel>`: signed envelopes for a peel.
pub fn command(peel: &PeelId) -> String {
    format!("zester.cmd.{peel}")
}

/// `zester.job.<jid>.<what>`: a record of a job.
pub fn job(jid: &JobId, record: Record) -> String {
    format!("zester.job.{jid}.{}", record.token())
}

/// `zester.job.<jid>.<what>.<peel>`: what a peel says of a job.
pub fn report(jid: &JobId, report: Report, peel: &PeelId) -> String {
    format!("zester.job.{jid}.{}.{peel}", report.token())
}

/// `zester.job.<jid>.<what>.*`: what all peels say of a job.
pub fn reports(jid: &JobId, report: Report) -> String {
    format!("zester.job.{jid}.{}.*", report.token())
}

/// `zester.up.<peel>.<verb>`: a peel asks the masters.
pub fn up(peel: &PeelId, verb: Verb) -> String {
    format!("zester.up.{peel}.{}", verb.token())
}

/// `zester.fact.<peel>`: its facts, kept in the bucket `facts`.
pub fn fact(peel: &PeelId) -> String {
    format!("zester.fact.{peel}")
}

/// `zester.notify.<peel>.>`: headers that say that something this peel may read has changed.
pub fn notices(peel: &PeelId) -> String {
    format!("zester.notify.{peel}.>")
}

/// `zester.notify._all.>`: headers that say that something all peels may read has changed.
pub const NOTICES_ALL: &str = "zester.notify._all.>";

/// `zester.event.<origin>.<tag>`: an event; the tag's dots stay tokens.
pub fn event(origin: &str, tag: &str) -> String {
    format!("zester.event.{origin}.{tag}")
}

/// `_INBOX.<who>`: the prefix of all reply subjects of a connection.
pub fn inbox(who: &str) -> String {
    format!("_INBOX.{who}")
}

/// Whether a reply subject belongs to `who`; the server does not check where a client asks the reply to go.
pub fn is_inbox_of(reply: &str, who: &str) -> bool {
    reply.strip_prefix("_INBOX.").and_then(|r| r.strip_prefix(who)).is_some_and(|r| r.starts_with('.'))
}

/// The owner of an inbox that is not a peel's: `_<role>.<name>`. No name begins with `_`, so no peel can be called what another role is.
pub fn inbox_owner(role: &str, name: &str) -> String {
    format!("_{role}.{name}")
}

/// The owner of an operator's inbox.
pub fn admin_inbox(name: &AdminId) -> String {
    inbox_owner("admin", name.as_str())
}

/// Holds a connection's name against the two forms: a name, or what [`inbox_owner`] makes.
pub fn check_inbox_owner(who: &str) -> Result<(), IdError> {
    const KIND: &str = "name of the connection";
    match who.strip_prefix('_').and_then(|rest| rest.split_once('.')) {
        Some((role, name)) => check_id(KIND, role).and_then(|()| check_id(KIND, name)),
        None => check_id(KIND, who),
    }
}

macro_rules! tokens {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident => $token:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum $name {
            $($(#[$vdoc])* $variant,)*
        }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Its token in a subject.
            pub const fn token(self) -> &'static str {
                match self {
                    $(Self::$variant => $token,)*
                }
            }

            /// Reads a token.
            pub fn from_token(token: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|v| v.token() == token)
            }
        }
    };
}

tokens!(
    /// What masters record of a job.
    Record {
        /// It was sent out; for the audit.
        Dispatch => "dispatch",
        /// Its aggregate status.
        Status => "status",
        /// It is to stop; signed.
        Cancel => "cancel",
    }
);
tokens!(
    /// What a peel says of a job.
    Report {
        /// Accepted, before execution.
        Ack => "ack",
        /// A state begins or ended; may be lost.
        Progress => "progress",
        /// How it ended.
        Return => "return",
    }
);
tokens!(
    /// What a peel asks the masters.
    Verb {
        /// Which jobs wait for me?
        Pending => "pending",
        /// New credentials, please.
        Renew => "renew",
        /// I am here.
        Presence => "presence",
        /// Seal my secrets for me.
        Secrets => "secrets",
        /// Which peels does a target match? (for the basket)
        Resolve => "resolve",
    }
);

/// A received subject under `zester.job.` or `zester.up.`, taken apart.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Received {
    /// What a peel says of a job.
    Report(JobId, Report, PeelId),
    /// What a master or operator says of a job.
    Record(JobId, Record),
    /// What a peel asks.
    Up(PeelId, Verb),
}

impl Received {
    /// Takes a subject apart; nothing for one that is not ours or has a name outside the grammar.
    pub fn parse(subject: &str) -> Option<Self> {
        let mut tokens = subject.split('.');
        if tokens.next()? != "zester" {
            return None;
        }
        let (family, second, third, fourth, fifth) =
            (tokens.next()?, tokens.next()?, tokens.next()?, tokens.next(), tokens.next());
        match (family, fourth, fifth) {
            ("job", None, _) => Some(Self::Record(JobId::new(second).ok()?, Record::from_token(third)?)),
            ("job", Some(peel), None) => {
                let report = Report::from_token(third)?;
                Some(Self::Report(JobId::new(second).ok()?, report, PeelId::new(peel).ok()?))
            }
            ("up", None, _) => Some(Self::Up(PeelId::new(second).ok()?, Verb::from_token(third)?)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let (jid, peel) = (JobId::generate(), PeelId::new("web-1").unwrap());
        for &r in Report::ALL {
            assert_eq!(
                Received::parse(&report(&jid, r, &peel)),
                Some(Received::Report(jid.clone(), r, peel.clone()))
            );
        }
        for &r in Record::ALL {
            assert_eq!(Received::parse(&job(&jid, r)), Some(Received::Record(jid.clone(), r)));
        }
        for &v in Verb::ALL {
            assert_eq!(Received::parse(&up(&peel, v)), Some(Received::Up(peel.clone(), v)));
        }
        for other in
            ["", "zester", "zester.job.j", "zester.job.j.ack.p.q", "zester.up.a b.renew", "other.job.j.ack.p"]
        {
            assert_eq!(Received::parse(other), None, "{other}");
        }
    }

    #[test]
    fn replies_stay_with_their_sender() {
        assert!(is_inbox_of("_INBOX.web-1.abc", "web-1"));
        for steered in ["_INBOX.web-10.abc", "_INBOX.web-1", "zester.cmd.web-2", "_INBOX.db.web-1.x"] {
            assert!(!is_inbox_of(steered, "web-1"), "{steered}");
        }
        let alice = admin_inbox(&AdminId::new("alice").unwrap());
        assert!(is_inbox_of("_INBOX._admin.alice.abc", &alice));
        assert!(!is_inbox_of("_INBOX.alice.abc", &alice));
    }

    #[test]
    fn owners_of_inboxes_are_names_or_roles_with_names() {
        for good in ["web-1", "_admin.alice", "_master.master"] {
            assert!(check_inbox_owner(good).is_ok(), "{good}");
        }
        for bad in ["", "_admin", "_admin.", "_.x", "a.b", "_a.b.c", "_admin.*", ">", "__a.b"] {
            assert!(check_inbox_owner(bad).is_err(), "{bad}");
        }
    }
}
