//! When to try again. The delay grows with every attempt and is forgotten only after a connection has lasted: a server that accepts and
//! throws out again, as one does with expired credentials, is not met with a hot loop.

use rand::RngExt;
use std::time::{Duration, Instant};

/// The delays between attempts.
#[derive(Clone, PartialEq, Debug)]
pub struct Backoff {
    /// Before the first attempt after a loss; doubled with every further one.
    pub wait: Duration,
    /// Added to every delay, anywhere between these two; keeps a fleet from coming back in one moment.
    pub jitter: (Duration, Duration),
    /// The longest delay, jitter included.
    pub longest: Duration,
    /// How long a connection has to last for the delays to begin anew.
    pub steady: Duration,
}

impl Default for Backoff {
    /// The seed's: 2 s and 0.5 to 5 s of jitter, growing to a minute.
    fn default() -> Self {
        Self {
            wait: Duration::from_secs(2),
            jitter: (Duration::from_millis(500), Duration::from_secs(5)),
            longest: Duration::from_secs(60),
            steady: Duration::from_secs(30),
        }
    }
}

/// Counts attempts.
#[derive(Debug)]
pub(super) struct Attempts {
    backoff: Backoff,
    /// How many servers the list has: each of them is tried once before the delay grows.
    servers: u32,
    failed: u32,
    first: bool,
    connected_at: Option<Instant>,
}

impl Attempts {
    pub(super) fn new(backoff: Backoff, servers: usize) -> Self {
        let servers = u32::try_from(servers).unwrap_or(u32::MAX).max(1);
        Self { backoff, servers, failed: 0, first: true, connected_at: None }
    }

    /// A connection stands.
    pub(super) fn connected(&mut self, now: Instant) {
        self.first = false;
        self.connected_at = Some(now);
    }

    /// How long to wait before the next attempt.
    pub(super) fn next(&mut self, now: Instant) -> Duration {
        if let Some(at) = self.connected_at.take()
            && now.saturating_duration_since(at) >= self.backoff.steady
        {
            self.failed = 0;
        }
        let attempt = self.failed;
        self.failed = self.failed.saturating_add(1);
        // The very first look at every server of the list costs nothing.
        if self.first && attempt < self.servers {
            return Duration::ZERO;
        }
        let rounds = attempt / self.servers;
        let wait = self.backoff.wait.saturating_mul(1u32.checked_shl(rounds.min(16)).unwrap_or(u32::MAX));
        let (least, most) = self.backoff.jitter;
        let jitter = if least < most { rand::rng().random_range(least..most) } else { least };
        // The jitter stays whole at the cap: it matters most when everybody waits the longest.
        wait.min(self.backoff.longest.saturating_sub(most)).saturating_add(jitter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_attempt_is_at_once_and_delays_grow() {
        let mut attempts = Attempts::new(Backoff::default(), 1);
        let now = Instant::now();
        assert_eq!(attempts.next(now), Duration::ZERO);
        attempts.connected(now);
        let seconds = |d: Duration| d.as_secs_f64();
        // Accepted and thrown out at once, again and again.
        let mut last = 0.0;
        for _ in 0..20 {
            let delay = seconds(attempts.next(now));
            assert!((2.5..=60.0).contains(&delay), "{delay}");
            assert!(delay >= last - 5.0, "{delay} after {last}");
            last = delay;
            attempts.connected(now);
        }
        assert!(last > 50.0, "{last}");
        // It lasted.
        let delay = seconds(attempts.next(now + Duration::from_secs(31)));
        assert!((2.5..=7.0).contains(&delay), "{delay}");
    }

    #[test]
    fn every_server_is_tried_before_the_delay_grows() {
        let mut attempts = Attempts::new(Backoff { jitter: Default::default(), ..Backoff::default() }, 3);
        let now = Instant::now();
        let delays: Vec<u64> = (0..9).map(|_| attempts.next(now).as_secs()).collect();
        assert_eq!(delays, [0, 0, 0, 4, 4, 4, 8, 8, 8]);
    }
}
