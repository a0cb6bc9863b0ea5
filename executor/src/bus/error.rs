//! What can go wrong on the way to the server and back.

use std::time::Duration;

/// Why something could not be sent, asked for or received.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BusError {
    /// The credentials do not allow it. The server says so once and never answers: waiting would be in vain.
    #[error("the server refuses `{subject}`: these credentials do not allow it")]
    Denied {
        /// What was published or subscribed to.
        subject: String,
    },
    /// No connection. What was in flight may or may not have arrived.
    #[error("there is no connection to a NATS server")]
    Disconnected,
    /// No answer in time. The request may or may not have had its effect.
    #[error("no answer to `{subject}` within {} ms", after.as_millis())]
    TimedOut {
        /// What was asked.
        subject: String,
        /// How long was waited.
        after: Duration,
    },
    /// Nobody listens on the subject; the request had no effect.
    #[error("nobody answers on `{subject}`")]
    NoResponders {
        /// What was asked.
        subject: String,
    },
    /// More bytes than the server takes.
    #[error("the message for `{subject}` has {size} bytes; the server takes at most {limit}")]
    TooLarge {
        /// Where it was to go.
        subject: String,
        /// With its headers.
        size: usize,
        /// The server's `max_payload`.
        limit: usize,
    },
    /// The text is no subject.
    #[error("`{0}` is not a subject that can be used here")]
    Subject(String),
    /// The connection was drained and closed by this program.
    #[error("the connection is closed")]
    Closed,
    /// The server does not accept the credentials.
    #[error("the server does not accept the credentials: {0}")]
    Refused(Refusal),
    /// No server of the list could be reached.
    #[error("no NATS server can be reached at {servers}: {reason}")]
    Connect {
        /// The list.
        servers: String,
        /// What the last attempt said.
        reason: String,
    },
    /// Keys, certificates or roots for TLS cannot be used.
    #[error("{0}")]
    Tls(String),
    /// The options contradict themselves.
    #[error("{0}")]
    Options(String),
}

impl BusError {
    /// Whether the request may have had its effect all the same.
    pub fn is_ambiguous(&self) -> bool {
        matches!(self, Self::Disconnected | Self::TimedOut { .. } | Self::Closed | Self::Refused(_))
    }
}

/// Why the server turned a connection away.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Refusal {
    /// The user's credentials are past their time: renew them.
    Expired,
    /// They were revoked: stop, or enroll again.
    Revoked,
    /// The account is past its time or gone.
    Account,
    /// Anything else the server calls an authorization violation.
    Violation,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Expired => "they have expired",
            Self::Revoked => "they were revoked",
            Self::Account => "the account is not valid any more",
            Self::Violation => "authorization violation",
        })
    }
}

impl Refusal {
    /// Reads an error of the server; nothing for those that are not about credentials.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.to_ascii_lowercase();
        let has = |part: &str| text.contains(part);
        if has("user authentication expired") {
            Some(Self::Expired)
        } else if has("user authentication revoked") || has("credentials have been revoked") {
            Some(Self::Revoked)
        } else if has("account authentication expired") {
            Some(Self::Account)
        } else if has("authorization violation") || has("authentication timeout") {
            Some(Self::Violation)
        } else {
            None
        }
    }
}
