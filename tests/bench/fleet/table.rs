//! Tables, medians, and where a curve bends.

use std::time::Duration;

/// Times over a growing number.
#[derive(Default)]
pub struct Curve(Vec<(usize, Duration)>);

impl Curve {
    /// Adds a point.
    pub fn add(&mut self, count: usize, time: Duration) {
        self.0.push((count, time));
    }

    /// Where the time for each begins to grow: the first number at which it is half more than the least before.
    pub fn bends(&self) -> String {
        let mut least = f64::INFINITY;
        for (count, time) in &self.0 {
            let each = time.as_secs_f64() / (*count).max(1) as f64;
            if each > 1.5 * least {
                return format!("at {count} ({:.0} µs each; {:.0} µs before)", each * 1e6, least * 1e6);
            }
            least = least.min(each);
        }
        format!("nowhere ({:.0} µs each at the end)", least * 1e6)
    }
}

/// The median.
pub fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// Milliseconds.
pub fn millis(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1e3)
}

/// A table with columns as wide as they need to be.
pub fn render(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = head.iter().map(|h| h.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: Vec<&str>| {
        let cells: Vec<String> =
            cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:>width$}")).collect();
        format!("{}\n", cells.join("  "))
    };
    let mut text = line(head.to_vec());
    for row in rows {
        text.push_str(&line(row.iter().map(String::as_str).collect()));
    }
    text
}
