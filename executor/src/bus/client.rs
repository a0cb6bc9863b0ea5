//! The connection: publish, request, subscribe, and its state.

use super::{
    connect::{BusOptions, Credentials},
    error::{BusError, Refusal},
    reconnect::Attempts,
    subscription::{Registry, Subscription},
    violation::{Attempt, Violation, Violations},
    waiters::Waiters,
};
use async_nats::{HeaderMap, Message, StatusCode, client::PublishErrorKind};
use bytes::Bytes;
use std::{
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    sync::{Semaphore, watch},
    task::AbortHandle,
};

/// Requests in flight; further ones wait their turn. Their answers always fit into the answers' subscription.
const MAX_IN_FLIGHT: usize = 16_384;

/// Where a connection stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ConnectionState {
    /// It never stood yet.
    Connecting {
        /// Why the server turned the last attempt away, where it did.
        refusal: Option<Refusal>,
    },
    /// It stands.
    Connected {
        /// Counts connections from 1: another number means that messages may have been missed in between.
        session: u64,
    },
    /// It stood and is lost; attempts go on.
    Disconnected {
        /// Why the server ended it or turned the last attempt away, where it did.
        refusal: Option<Refusal>,
    },
    /// Drained and closed by this program.
    Closed,
}

/// What has been counted since the start.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct BusCounters {
    /// Messages that were dropped because a subscription was full.
    pub dropped: u64,
    /// Subjects that the server refused.
    pub violations: u64,
    /// Connections made.
    pub sessions: u64,
    /// Requests that wait for an answer now.
    pub in_flight: u64,
}

/// A connection to the NATS servers. Clones are the same connection.
#[derive(Clone, Debug)]
pub struct Bus(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    client: async_nats::Client,
    shared: Arc<Shared>,
    /// `_INBOX.<who>.<random>.`
    answers: String,
    permits: Semaphore,
    options: BusOptions,
    /// Hands out answers. It holds the client, so it has to end with the last handle for the connection to close.
    dispatcher: AbortHandle,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.shared.close();
        self.dispatcher.abort();
    }
}

/// What the client's callbacks reach.
#[derive(Debug)]
pub(super) struct Shared {
    state: watch::Sender<ConnectionState>,
    pub(super) waiters: Waiters,
    pub(super) registry: Registry,
    violations: Mutex<Violations>,
    attempts: Mutex<Attempts>,
    credentials: RwLock<Option<Credentials>>,
    dropped: watch::Sender<u64>,
    sessions: AtomicU64,
    /// `_INBOX.<who>`
    inbox: String,
}

impl Bus {
    pub(super) fn new(
        client: async_nats::Client,
        shared: Arc<Shared>,
        answers: String,
        options: BusOptions,
        dispatcher: AbortHandle,
    ) -> Self {
        let permits = Semaphore::new(MAX_IN_FLIGHT);
        Self(Arc::new(Inner { client, shared, answers, permits, options, dispatcher }))
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.0.shared
    }

    pub(super) fn client(&self) -> &async_nats::Client {
        &self.0.client
    }

    /// How it was made.
    pub fn options(&self) -> &BusOptions {
        &self.0.options
    }

    /// The state, and every change of it.
    pub fn state(&self) -> watch::Receiver<ConnectionState> {
        self.0.shared.state.subscribe()
    }

    /// Waits until the connection stands; gives the session's number.
    pub async fn connected(&self) -> Result<u64, BusError> {
        let mut state = self.state();
        let now = state
            .wait_for(|s| matches!(s, ConnectionState::Connected { .. } | ConnectionState::Closed))
            .await
            .map_err(|_| BusError::Closed)?;
        match *now {
            ConnectionState::Connected { session } => Ok(session),
            _ => Err(BusError::Closed),
        }
    }

    /// Waits for what became of the first connection.
    pub(super) async fn accepted(&self) -> Result<(), BusError> {
        let mut state = self.state();
        let now = state
            .wait_for(|s| !matches!(s, ConnectionState::Connecting { refusal: None }))
            .await
            .map_err(|_| BusError::Closed)?;
        match *now {
            ConnectionState::Connected { .. } => Ok(()),
            ConnectionState::Connecting { refusal: Some(refusal) }
            | ConnectionState::Disconnected { refusal: Some(refusal) } => Err(BusError::Refused(refusal)),
            _ => Err(BusError::Disconnected),
        }
    }

    /// Waits until the connection that stands now is lost (or closed); returns at once when none stands.
    pub async fn disconnected(&self) {
        let mut state = self.state();
        let session = match *state.borrow() {
            ConnectionState::Connected { session } => session,
            _ => return,
        };
        let _ = state.wait_for(|s| *s != ConnectionState::Connected { session }).await;
    }

    /// Waits for a later session than `session`; gives its number.
    pub async fn reconnected(&self, session: u64) -> Result<u64, BusError> {
        let mut state = self.state();
        loop {
            match *state.borrow_and_update() {
                ConnectionState::Connected { session: now } if now > session => return Ok(now),
                ConnectionState::Closed => return Err(BusError::Closed),
                _ => {}
            }
            state.changed().await.map_err(|_| BusError::Closed)?;
        }
    }

    /// The number of messages dropped because a subscription was full, and every change of it: who relies on having seen everything reads
    /// again then.
    pub fn dropped(&self) -> watch::Receiver<u64> {
        self.0.shared.dropped.subscribe()
    }

    /// What was counted.
    pub fn counters(&self) -> BusCounters {
        let shared = self.shared();
        BusCounters {
            dropped: *shared.dropped.borrow(),
            violations: shared.violations().count(),
            sessions: shared.sessions.load(Ordering::Relaxed),
            in_flight: shared.waiters.len() as u64,
        }
    }

    /// The last subjects that the server refused, oldest first.
    pub fn violations(&self) -> Vec<Violation> {
        self.shared().violations().last()
    }

    /// Puts other credentials in place; used from the next connect on.
    pub fn replace_credentials(&self, credentials: Credentials) {
        *self.shared().credentials.write().unwrap_or_else(PoisonError::into_inner) = Some(credentials);
    }

    /// Gives the connection up and makes a new one: with replaced credentials, or away from a server that is about to stop.
    pub async fn reconnect(&self) -> Result<(), BusError> {
        self.client().force_reconnect().await.map_err(|_| BusError::Closed)
    }

    /// The server's version: major, minor, patch; nothing before the first connect.
    pub fn server_version(&self) -> Option<(u64, u64, u64)> {
        let version = self.client().try_server_info()?.version;
        let mut numbers = version.split(['.', '-', '+']).map(|part| part.parse().ok());
        Some((numbers.next()??, numbers.next()??, numbers.next()??))
    }

    /// The most bytes of a message, headers included.
    pub fn max_payload(&self) -> usize {
        self.client().max_payload()
    }

    /// Publishes. Nothing says whether anybody got it.
    pub async fn publish(&self, subject: &str, payload: impl Into<Bytes>) -> Result<(), BusError> {
        self.send(subject, None, None, payload.into()).await
    }

    /// Publishes with headers.
    pub async fn publish_with_headers(
        &self,
        subject: &str,
        headers: HeaderMap,
        payload: impl Into<Bytes>,
    ) -> Result<(), BusError> {
        self.send(subject, None, Some(headers), payload.into()).await
    }

    /// Publishes and asks for replies to `reply`, which is a subscription of the caller's.
    pub async fn publish_with_reply(
        &self,
        subject: &str,
        reply: &str,
        payload: impl Into<Bytes>,
    ) -> Result<(), BusError> {
        self.send(subject, Some(reply), None, payload.into()).await
    }

    /// Asks and waits for one answer.
    pub async fn request(&self, subject: &str, payload: impl Into<Bytes>) -> Result<Message, BusError> {
        self.request_with(subject, None, payload, self.0.options.request_timeout).await
    }

    /// Asks with headers and waits for one answer, so long.
    pub async fn request_with(
        &self,
        subject: &str,
        headers: Option<HeaderMap>,
        payload: impl Into<Bytes>,
        timeout: Duration,
    ) -> Result<Message, BusError> {
        let ask = async {
            let _permit = self.0.permits.acquire().await.map_err(|_| BusError::Closed)?;
            let mut waiter = self.shared().waiters.wait(subject)?;
            let reply = format!("{}{}", self.0.answers, waiter.token);
            self.send(subject, Some(&reply), headers, payload.into()).await?;
            (&mut waiter.answer).await.unwrap_or(Err(BusError::Closed))
        };
        let message = tokio::time::timeout(timeout, ask)
            .await
            .map_err(|_| BusError::TimedOut { subject: subject.to_owned(), after: timeout })??;
        if message.status == Some(StatusCode::NO_RESPONDERS) {
            return Err(BusError::NoResponders { subject: subject.to_owned() });
        }
        Ok(message)
    }

    /// Waits until the server has seen everything that was sent before, and everything it had sent before is here.
    ///
    /// Needs the right to publish to the own inbox. Without it the server's refusal is the sign, which does as well.
    pub async fn round_trip(&self) -> Result<(), BusError> {
        let mut waiter = {
            // The subject is its own, so that a refusal finds only this one.
            let waiter = self.shared().waiters.wait("")?;
            self.shared().waiters.rename(&waiter, format!("{}{}", self.0.answers, waiter.token));
            waiter
        };
        let subject = format!("{}{}", self.0.answers, waiter.token);
        let timeout = self.0.options.request_timeout;
        let ask = async {
            self.send(&subject, None, None, Bytes::new()).await?;
            (&mut waiter.answer).await.unwrap_or(Err(BusError::Closed))
        };
        match tokio::time::timeout(timeout, ask).await {
            Ok(Ok(_) | Err(BusError::Denied { .. })) => Ok(()),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(BusError::TimedOut { subject, after: timeout }),
        }
    }

    /// Subscribes, and waits for the server to have it: a refusal is an error here. Without a connection it begins with the next one.
    pub async fn subscribe(&self, subject: &str) -> Result<Subscription, BusError> {
        self.confirmed(Subscription::new(self, subject, None).await?).await
    }

    /// Subscribes as one of a group; a message goes to one of it.
    pub async fn queue_subscribe(&self, subject: &str, queue: &str) -> Result<Subscription, BusError> {
        self.confirmed(Subscription::new(self, subject, Some(queue)).await?).await
    }

    async fn confirmed(&self, subscription: Subscription) -> Result<Subscription, BusError> {
        match self.round_trip().await {
            Ok(()) | Err(BusError::Disconnected) => {}
            Err(error) => return Err(error),
        }
        match subscription.refusal() {
            Some(error) => Err(error),
            None => Ok(subscription),
        }
    }

    /// A fresh subject below the own inbox, for replies to a subscription of the caller's.
    pub fn new_inbox(&self) -> String {
        format!("{}.{}", super::subject::inbox(&self.0.options.who), ulid::Ulid::r#gen())
    }

    async fn send(
        &self,
        subject: &str,
        reply: Option<&str>,
        headers: Option<HeaderMap>,
        payload: Bytes,
    ) -> Result<(), BusError> {
        check_subject(subject)?;
        match *self.0.shared.state.borrow() {
            ConnectionState::Connected { .. } => {}
            ConnectionState::Closed => return Err(BusError::Closed),
            // The client would queue it without a bound in bytes, and block when full.
            _ => return Err(BusError::Disconnected),
        }
        let (client, to) = (self.client(), subject.to_owned());
        let size = payload.len();
        let sent = match (reply, headers) {
            (None, None) => client.publish(to, payload).await,
            (None, Some(headers)) => client.publish_with_headers(to, headers, payload).await,
            (Some(reply), None) => client.publish_with_reply(to, reply.to_owned(), payload).await,
            (Some(reply), Some(headers)) => {
                client.publish_with_reply_and_headers(to, reply.to_owned(), headers, payload).await
            }
        };
        sent.map_err(|error| match error.kind() {
            PublishErrorKind::MaxPayloadExceeded => {
                BusError::TooLarge { subject: subject.to_owned(), size, limit: self.max_payload() }
            }
            PublishErrorKind::InvalidSubject => BusError::Subject(subject.to_owned()),
            PublishErrorKind::Send => BusError::Closed,
        })
    }
}

/// A subject to publish to has no wildcards; the client lets them pass.
fn check_subject(subject: &str) -> Result<(), BusError> {
    // The one call that names a filter in its subject.
    let filter = subject.starts_with("$JS.API.CONSUMER.CREATE.");
    let whole = !subject.is_empty()
        && subject.split('.').all(|token| !token.is_empty() && (filter || (token != "*" && token != ">")))
        && !subject.chars().any(|c| c.is_whitespace() || c.is_control());
    if whole { Ok(()) } else { Err(BusError::Subject(subject.to_owned())) }
}

impl Shared {
    pub(super) fn new(options: &BusOptions) -> Self {
        let shared = Self {
            state: watch::Sender::new(ConnectionState::Connecting { refusal: None }),
            waiters: Waiters::default(),
            registry: Registry::default(),
            violations: Mutex::default(),
            attempts: Mutex::new(Attempts::new(options.backoff.clone(), options.servers.len())),
            credentials: RwLock::new(options.credentials.clone()),
            dropped: watch::Sender::new(0),
            sessions: AtomicU64::new(0),
            inbox: super::subject::inbox(&options.who),
        };
        shared.waiters.shut(&BusError::Disconnected);
        shared
    }

    fn is_answers(&self, subject: &str) -> bool {
        subject.strip_prefix(&self.inbox).is_some_and(|rest| rest.starts_with('.') && rest.ends_with(".*"))
    }

    fn violations(&self) -> std::sync::MutexGuard<'_, Violations> {
        self.violations.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn attempts(&self) -> std::sync::MutexGuard<'_, Attempts> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn credentials(&self) -> Option<Credentials> {
        self.credentials.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn is_closed(&self) -> bool {
        *self.state.borrow() == ConnectionState::Closed
    }

    pub(super) fn next_delay(&self) -> Duration {
        self.attempts().next(Instant::now())
    }

    /// A connection stands.
    pub(super) fn stands(&self) {
        self.attempts().connected(Instant::now());
        let session = self.sessions.fetch_add(1, Ordering::Relaxed) + 1;
        let opened = self.state.send_if_modified(|state| {
            let open = *state != ConnectionState::Closed;
            if open {
                self.waiters.open();
                *state = ConnectionState::Connected { session };
            }
            open
        });
        if opened {
            tracing::info!(session, "connected");
        }
    }

    /// An attempt begins: no connection stands.
    pub(super) fn lost(&self) {
        let lost = self.state.send_if_modified(|state| {
            let stood = state.is_connected();
            if stood {
                *state = ConnectionState::Disconnected { refusal: None };
            }
            stood
        });
        if lost {
            self.waiters.shut(&BusError::Disconnected);
            tracing::warn!("the connection to the NATS server is lost");
        }
    }

    /// Drained: nothing goes out any more.
    pub(super) fn close(&self) {
        self.state.send_replace(ConnectionState::Closed);
        self.waiters.shut(&BusError::Closed);
    }

    pub(super) fn dropped_message(&self) {
        self.dropped.send_modify(|n| *n = n.saturating_add(1));
    }

    /// The server says that something is wrong.
    pub(super) fn server_error(&self, text: &str) {
        if let Some(violation) = Violation::parse(text) {
            tracing::error!(subject = %violation.subject, attempt = ?violation.attempt, "the server refuses a subject");
            match violation.attempt {
                Attempt::Publish => self.waiters.deny(&violation.subject),
                // Where all answers come: the credentials are another's, and no request will ever be answered.
                Attempt::Subscribe if self.is_answers(&violation.subject) => {
                    self.waiters.shut(&BusError::Denied { subject: violation.subject.clone() });
                }
                Attempt::Subscribe => self.registry.deny(&violation.subject, violation.queue.as_deref()),
                Attempt::Reply => {}
            }
            self.violations().add(violation);
        } else if let Some(refusal) = Refusal::parse(text) {
            self.refused(refusal);
        } else {
            tracing::warn!(error = text, "the NATS server reports an error");
        }
    }

    /// An attempt to connect failed.
    pub(super) fn failed_attempt(&self, text: &str) {
        match Refusal::parse(text) {
            Some(refusal) => self.refused(refusal),
            None => tracing::debug!(error = text, "no connection"),
        }
    }

    fn refused(&self, why: Refusal) {
        tracing::error!("the NATS server does not accept the credentials: {why}");
        self.state.send_if_modified(|state| match state {
            // A plain violation after an expiry tells less than the expiry did.
            ConnectionState::Connecting { refusal } | ConnectionState::Disconnected { refusal }
                if *refusal != Some(why) && (refusal.is_none() || why != Refusal::Violation) =>
            {
                *refusal = Some(why);
                true
            }
            ConnectionState::Connected { .. } => {
                // The server says so just before it hangs up.
                self.waiters.shut(&BusError::Refused(why));
                *state = ConnectionState::Disconnected { refusal: Some(why) };
                true
            }
            _ => false,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shared() -> Shared {
        Shared::new(&BusOptions::new(["nats://127.0.0.1:1"], "test"))
    }

    #[test]
    fn subjects_to_publish_to_are_exact() {
        for bad in ["", "a.*", ">", "a..b", ".a", "a.", "a b", "a\r\nPUB x", "a.>.b"] {
            assert!(check_subject(bad).is_err(), "{bad:?}");
        }
        assert!(check_subject("$JS.API.STREAM.INFO.KV_jobs").is_ok());
    }

    #[test]
    fn an_expiry_is_a_state_and_ends_requests() {
        let shared = shared();
        assert!(matches!(shared.waiters.wait("a"), Err(BusError::Disconnected)));
        shared.stands();
        let mut waiter = shared.waiters.wait("a").unwrap();
        shared.server_error("nats: User Authentication Expired");
        let expired = ConnectionState::Disconnected { refusal: Some(Refusal::Expired) };
        assert_eq!(*shared.state.borrow(), expired);
        assert_eq!(waiter.answer.try_recv().unwrap().unwrap_err(), BusError::Refused(Refusal::Expired));
        // The attempts that follow are turned away with fewer words.
        shared.lost();
        shared.failed_attempt("nats: authorization violation");
        assert_eq!(*shared.state.borrow(), expired);
        shared.stands();
        assert_eq!(*shared.state.borrow(), ConnectionState::Connected { session: 2 });
        shared.close();
        shared.stands();
        assert_eq!(*shared.state.borrow(), ConnectionState::Closed);
    }
}
