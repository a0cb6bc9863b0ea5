//! Memory and swap, in bytes.

use super::{Collected, Inspection};

pub(super) fn collect(inspection: &Inspection, out: &mut Collected) {
    let text = inspection.read("/proc/meminfo").unwrap_or_default();
    let bytes = |name: &str| -> Option<i64> {
        let line = text.lines().find(|line| line.split(':').next() == Some(name))?;
        let kilobytes: i64 = line.split_whitespace().nth(1)?.parse().ok()?;
        kilobytes.checked_mul(1024)
    };
    let total = bytes("MemTotal").unwrap_or_default();
    let free = bytes("MemFree").unwrap_or_default();
    // Kernels before 3.14 do not say what is available.
    let available = bytes("MemAvailable")
        .unwrap_or_else(|| free + bytes("Buffers").unwrap_or_default() + bytes("Cached").unwrap_or_default());
    let used = (total - available).max(0);
    let (swap_total, swap_free) =
        (bytes("SwapTotal").unwrap_or_default(), bytes("SwapFree").unwrap_or_default());
    out.fact("memory.total", total);
    out.fact("memory.available", available);
    out.fact("memory.used", used);
    out.fact("memory.free", free);
    out.fact("memory.swap_total", swap_total);
    out.fact("memory.swap_used", (swap_total - swap_free).max(0));
    out.fact("memory.swap_free", swap_free);
    out.fact("memory.used_percent", percent(used, total));
}

/// A share in percent, with two decimals.
pub(super) fn percent(part: i64, whole: i64) -> f64 {
    if whole <= 0 {
        return 0.0;
    }
    (part as f64 / whole as f64 * 10_000.0).round() / 100.0
}
