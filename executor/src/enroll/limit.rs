//! Rate limits by address: a bucket of tokens for each, in bounded memory.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Addresses that are kept; above it the full buckets are dropped, which are those that have been quiet.
const MAX_ADDRESSES: usize = 10_000;

/// A limit for each address.
#[derive(Debug)]
pub struct Limit {
    burst: f64,
    per_second: f64,
    buckets: Mutex<HashMap<IpAddr, (f64, Instant)>>,
}

impl Limit {
    /// So many at once, then so many a second.
    pub fn new(burst: u32, per_second: f64) -> Self {
        Self { burst: f64::from(burst), per_second, buckets: Mutex::default() }
    }

    /// Takes one; where there is none, says how long to wait.
    pub fn take(&self, address: IpAddr, now: Instant) -> Result<(), Duration> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let refill = |(tokens, since): (f64, Instant)| {
            (tokens + now.saturating_duration_since(since).as_secs_f64() * self.per_second).min(self.burst)
        };
        let who = network(address);
        if buckets.len() >= MAX_ADDRESSES && !buckets.contains_key(&who) {
            buckets.retain(|_, bucket| refill(*bucket) < self.burst);
            if buckets.len() >= MAX_ADDRESSES {
                return Err(Duration::from_secs(60));
            }
        }
        let tokens = buckets.get(&who).map_or(self.burst, |bucket| refill(*bucket));
        let left = tokens - 1.0;
        buckets.insert(who, (if left < 0.0 { tokens } else { left }, now));
        if left < 0.0 {
            return Err(Duration::from_secs_f64((-left / self.per_second).clamp(0.0, 3_600.0)));
        }
        Ok(())
    }
}

/// Who has one address of IPv6 has its whole /64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64))),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_a_rate() {
        let limit = Limit::new(3, 2.0);
        let (a, b): (IpAddr, IpAddr) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let start = Instant::now();
        for _ in 0..3 {
            assert!(limit.take(a, start).is_ok());
        }
        assert_eq!(limit.take(a, start), Err(Duration::from_millis(500)));
        assert!(limit.take(b, start).is_ok());
        assert!(limit.take(a, start + Duration::from_millis(500)).is_ok());
        assert!(limit.take(a, start + Duration::from_millis(500)).is_err());
        let (c, d): (IpAddr, IpAddr) = ("2001:db8::1".parse().unwrap(), "2001:db8::ffff:1".parse().unwrap());
        for address in [c, d, c] {
            assert!(limit.take(address, start).is_ok());
        }
        assert!(limit.take(d, start).is_err(), "one network, one bucket");
    }

    #[test]
    fn memory_is_bounded() {
        let limit = Limit::new(2, 1.0);
        let start = Instant::now();
        for n in 0..MAX_ADDRESSES as u32 {
            assert!(limit.take(IpAddr::V4(n.into()), start).is_ok());
        }
        assert!(limit.take("10.200.0.1".parse().unwrap(), start).is_err());
        assert!(limit.take("10.200.0.1".parse().unwrap(), start + Duration::from_secs(2)).is_ok());
        assert_eq!(limit.buckets.lock().unwrap().len(), 1);
    }
}
