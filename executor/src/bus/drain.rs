//! The end of a connection that loses nothing: unsubscribe, wait for what is on the way, let handlers finish, wait for what they sent, close.

use super::client::Bus;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// How a drain ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Drained {
    /// Subscriptions and work that were cut off when the time was over.
    pub unfinished: usize,
    /// Whether the server has everything that was published.
    pub flushed: bool,
}

impl Bus {
    /// Ends the connection within [`drain_timeout`](super::connect::BusOptions::drain_timeout).
    ///
    /// Loops over subscriptions get their last messages, then nothing; drop the subscription when its messages are dealt with.
    pub async fn drain(&self) -> Drained {
        let end = Instant::now() + self.options().drain_timeout;
        let registry = self.shared().registry.clone();
        registry.begin_drain();
        let finished = timeout_at(end, async {
            registry.unsubscribed().await;
            // After this answer nothing more can come. Without a connection nothing can come either.
            let _ = self.round_trip().await;
            registry.end_drain();
            registry.finished().await;
        })
        .await;
        let unfinished = if finished.is_ok() { 0 } else { registry.unfinished() };
        registry.end_drain();
        // Even with no time left a healthy server gets a moment to take what was sent.
        let end = end.max(Instant::now() + Duration::from_secs(1));
        let flushed = matches!(timeout_at(end, self.round_trip()).await, Ok(Ok(())));
        self.shared().close();
        let _ = timeout_at(end, self.client().drain()).await;
        Drained { unfinished, flushed }
    }
}
