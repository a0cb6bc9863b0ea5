//! Requests that wait for their answers. They end with an answer, a refusal, a loss of the connection or the caller's patience; in every case
//! the entry goes. (The client's own table keeps what timed out for ever.)

use super::error::BusError;
use async_nats::Message;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::oneshot;

type Answer = Result<Message, BusError>;

#[derive(Default, Debug)]
struct Table {
    next: u64,
    waiting: HashMap<u64, (String, oneshot::Sender<Answer>)>,
    /// While it is set, nobody may begin to wait.
    shut: Option<BusError>,
}

/// The table, shared by the connection and its requests.
#[derive(Clone, Default, Debug)]
pub(super) struct Waiters(Arc<Mutex<Table>>);

/// One request's place in it; leaves it when dropped.
pub(super) struct Waiter {
    waiters: Waiters,
    /// The last token of the reply subject.
    pub(super) token: u64,
    pub(super) answer: oneshot::Receiver<Answer>,
}

impl Waiters {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to wait for the answer to `subject`.
    pub(super) fn wait(&self, subject: &str) -> Result<Waiter, BusError> {
        let mut table = self.table();
        if let Some(error) = &table.shut {
            return Err(error.clone());
        }
        let token = table.next;
        table.next += 1;
        let (sender, answer) = oneshot::channel();
        table.waiting.insert(token, (subject.to_owned(), sender));
        Ok(Waiter { waiters: self.clone(), token, answer })
    }

    /// Lets it wait for the answer to another subject.
    pub(super) fn rename(&self, waiter: &Waiter, subject: String) {
        if let Some((old, _)) = self.table().waiting.get_mut(&waiter.token) {
            *old = subject;
        }
    }

    /// Hands a message to whom it answers, by the last token of its subject.
    pub(super) fn answer(&self, message: Message) {
        let token = message.subject.rsplit('.').next().and_then(|t| t.parse().ok());
        let found = token.and_then(|t: u64| self.table().waiting.remove(&t));
        if let Some((_, sender)) = found {
            let _ = sender.send(Ok(message));
        }
    }

    /// The server refused a subject: all who wait for an answer to it have waited enough.
    pub(super) fn deny(&self, subject: &str) {
        let denied = {
            let mut table = self.table();
            let tokens: Vec<u64> =
                table.waiting.iter().filter(|(_, (s, _))| s == subject).map(|(t, _)| *t).collect();
            tokens.iter().filter_map(|t| table.waiting.remove(t)).collect::<Vec<_>>()
        };
        for (subject, sender) in denied {
            let _ = sender.send(Err(BusError::Denied { subject }));
        }
    }

    /// Ends all waiting, and lets nobody begin until [`Waiters::open`].
    pub(super) fn shut(&self, error: &BusError) {
        let waiting = {
            let mut table = self.table();
            table.shut = Some(error.clone());
            std::mem::take(&mut table.waiting)
        };
        for (_, sender) in waiting.into_values() {
            let _ = sender.send(Err(error.clone()));
        }
    }

    /// Lets requests begin.
    pub(super) fn open(&self) {
        self.table().shut = None;
    }

    pub(super) fn len(&self) -> usize {
        self.table().waiting.len()
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.waiters.table().waiting.remove(&self.token);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(subject: &str) -> Message {
        Message {
            subject: subject.into(),
            reply: None,
            payload: bytes::Bytes::new(),
            headers: None,
            status: None,
            description: None,
            length: 0,
        }
    }

    #[test]
    fn every_way_out_leaves_no_entry() {
        let waiters = Waiters::default();
        let (mut a, mut b, mut c) =
            (waiters.wait("a").unwrap(), waiters.wait("b").unwrap(), waiters.wait("c").unwrap());
        let d = waiters.wait("d").unwrap();
        assert_eq!(waiters.len(), 4);
        drop(d);
        waiters.answer(message(&format!("_INBOX.x.y.{}", a.token)));
        assert!(a.answer.try_recv().unwrap().is_ok());
        waiters.deny("b");
        assert_eq!(b.answer.try_recv().unwrap().unwrap_err(), BusError::Denied { subject: "b".into() });
        waiters.shut(&BusError::Disconnected);
        assert_eq!(c.answer.try_recv().unwrap().unwrap_err(), BusError::Disconnected);
        assert_eq!(waiters.len(), 0);
        assert!(matches!(waiters.wait("e"), Err(BusError::Disconnected)));
        waiters.open();
        assert!(waiters.wait("e").is_ok());
        waiters.answer(message("_INBOX.x.y.nonsense"));
        assert_eq!(waiters.len(), 0);
    }
}
