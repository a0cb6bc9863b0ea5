//! Subscriptions that know how they end: refused, or drained to the last message.

use super::{
    client::{Bus, ConnectionState},
    error::BusError,
};
use async_nats::Message;
use futures_util::{FutureExt, StreamExt};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::{Notify, watch};

/// A subscription's life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// Messages come.
    Active,
    /// It shall end: unsubscribe, and hand out what is on the way.
    Draining,
    /// Nothing is on the way any more.
    Drained,
    /// The server refused it.
    Denied,
}

#[derive(Debug)]
struct Member {
    subject: String,
    queue: Option<String>,
    phase: watch::Sender<Phase>,
    unsubscribed: bool,
}

/// All subscriptions of a connection, and the work they gave rise to.
#[derive(Clone, Default, Debug)]
pub(super) struct Registry(Arc<Members>);

#[derive(Default, Debug)]
struct Members {
    table: Mutex<Table>,
    changed: Notify,
}

#[derive(Default, Debug)]
struct Table {
    next: u64,
    members: HashMap<u64, Member>,
    work: usize,
    draining: bool,
}

impl Registry {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, subject: &str, queue: Option<&str>) -> Result<(u64, watch::Receiver<Phase>), BusError> {
        let mut table = self.table();
        if table.draining {
            return Err(BusError::Closed);
        }
        let id = table.next;
        table.next += 1;
        let (phase, receiver) = watch::channel(Phase::Active);
        let member = Member {
            subject: subject.to_owned(),
            queue: queue.map(str::to_owned),
            phase,
            unsubscribed: false,
        };
        table.members.insert(id, member);
        Ok((id, receiver))
    }

    /// The server refused a subscription.
    pub(super) fn deny(&self, subject: &str, queue: Option<&str>) {
        for member in self.table().members.values() {
            if member.subject == subject && member.queue.as_deref() == queue {
                member.phase.send_replace(Phase::Denied);
            }
        }
    }

    /// Lets every subscription end.
    pub(super) fn begin_drain(&self) {
        let mut table = self.table();
        table.draining = true;
        for member in table.members.values() {
            member.phase.send_if_modified(|p| {
                let active = *p == Phase::Active;
                if active {
                    *p = Phase::Draining;
                }
                active
            });
        }
    }

    /// Waits until all have unsubscribed.
    pub(super) async fn unsubscribed(&self) {
        self.until(|table| {
            table.members.values().all(|m| m.unsubscribed || *m.phase.borrow() == Phase::Denied)
        })
        .await;
    }

    /// Nothing is on the way any more: subscriptions end after what they have.
    pub(super) fn end_drain(&self) {
        for member in self.table().members.values() {
            member.phase.send_replace(Phase::Drained);
        }
    }

    /// Waits until all subscriptions are dropped and all work is done.
    pub(super) async fn finished(&self) {
        self.until(|table| table.members.is_empty() && table.work == 0).await;
    }

    /// Subscriptions and work that have not ended.
    pub(super) fn unfinished(&self) -> usize {
        let table = self.table();
        table.members.len() + table.work
    }

    async fn until(&self, holds: impl Fn(&Table) -> bool) {
        loop {
            let changed = self.0.changed.notified();
            if holds(&self.table()) {
                return;
            }
            changed.await;
        }
    }

    fn change(&self, change: impl FnOnce(&mut Table)) {
        change(&mut self.table());
        self.0.changed.notify_waiters();
    }
}

/// Work that a drain waits for; ends when dropped.
#[derive(Debug)]
pub struct Work(Registry);

impl Drop for Work {
    fn drop(&mut self) {
        self.0.change(|table| table.work = table.work.saturating_sub(1));
    }
}

impl Bus {
    /// Marks work that outlives the loop over its subscription: [`Bus::drain`] waits for it.
    pub fn work(&self) -> Work {
        let registry = self.shared().registry.clone();
        registry.table().work += 1;
        Work(registry)
    }
}

/// A subscription. Unsubscribed when dropped; [`Bus::drain`] waits for that.
#[derive(Debug)]
pub struct Subscription {
    subscriber: async_nats::Subscriber,
    registry: Registry,
    id: u64,
    phase: watch::Receiver<Phase>,
    subject: String,
    unsubscribed: bool,
}

impl Subscription {
    pub(super) async fn new(bus: &Bus, subject: &str, queue: Option<&str>) -> Result<Self, BusError> {
        if *bus.state().borrow() == ConnectionState::Closed {
            return Err(BusError::Closed);
        }
        let registry = bus.shared().registry.clone();
        let (id, phase) = registry.add(subject, queue)?;
        let made = match queue {
            None => bus.client().subscribe(subject.to_owned()).await,
            Some(queue) => bus.client().queue_subscribe(subject.to_owned(), queue.to_owned()).await,
        };
        match made {
            Ok(subscriber) => {
                Ok(Self { subscriber, registry, id, phase, subject: subject.to_owned(), unsubscribed: false })
            }
            Err(_) => {
                registry.change(|table| drop(table.members.remove(&id)));
                Err(BusError::Subject(subject.to_owned()))
            }
        }
    }

    /// The next message; nothing after the last: the connection was drained or closed, or the server refused, see
    /// [`Subscription::refusal`]. Loses nothing when it is dropped before its end.
    pub async fn next(&mut self) -> Option<Message> {
        loop {
            let phase = *self.phase.borrow_and_update();
            match phase {
                Phase::Active => {}
                Phase::Draining if self.unsubscribed => {}
                Phase::Draining => {
                    // A count beyond the server's numbers makes it unsubscribe at once, while the client goes on to hand out what is on
                    // the way. Its own ways to unsubscribe stop listening before the server has stopped sending.
                    let _ = self.subscriber.unsubscribe_after(u64::MAX).await;
                    self.unsubscribed = true;
                    let id = self.id;
                    self.registry.change(|table| {
                        if let Some(member) = table.members.get_mut(&id) {
                            member.unsubscribed = true;
                        }
                    });
                }
                // Unconstrained: a task that has used up its turn would be told that nothing is there.
                Phase::Drained => {
                    return tokio::task::unconstrained(self.subscriber.next()).now_or_never().flatten();
                }
                Phase::Denied => return None,
            }
            tokio::select! {
                biased;
                message = self.subscriber.next() => return message,
                changed = self.phase.changed() => if changed.is_err() { return None },
            }
        }
    }

    /// Why it ended, if the server refused it.
    pub fn refusal(&self) -> Option<BusError> {
        (*self.phase.borrow() == Phase::Denied).then(|| BusError::Denied { subject: self.subject.clone() })
    }

    /// The subject, as it was subscribed to.
    pub fn subject(&self) -> &str {
        &self.subject
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let id = self.id;
        self.registry.change(|table| drop(table.members.remove(&id)));
    }
}
