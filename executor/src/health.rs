//! `/healthz`, `/readyz` and `/metrics` of peel and master, over plain HTTP on loopback.
//!
//! Values are looked up when they are asked for; nothing is counted twice. The metrics are in the text format of Prometheus.

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use std::{fmt::Write as _, io, net::SocketAddr, sync::Arc};
use tokio::{net::TcpListener, task::JoinHandle};

/// What a metric's value means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Only grows while the process lives.
    Counter,
    /// Goes up and down.
    Gauge,
}

/// A metric at this moment.
#[derive(Clone, PartialEq, Debug)]
pub struct Metric {
    /// `zester_…`, with its unit at the end.
    pub name: &'static str,
    /// A sentence for who reads it.
    pub help: &'static str,
    /// What its values mean.
    pub kind: Kind,
    /// Values by label: name and value of the label, or none.
    pub samples: Vec<(Option<(&'static str, &'static str)>, f64)>,
}

impl Metric {
    /// A metric with one value.
    pub fn one(name: &'static str, help: &'static str, kind: Kind, value: f64) -> Self {
        Self { name, help, kind, samples: vec![(None, value)] }
    }
}

/// How a process is.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Report {
    /// What it needs for its work: a name, and why it is missing.
    pub checks: Vec<(&'static str, Result<(), String>)>,
    /// Its metrics.
    pub metrics: Vec<Metric>,
}

impl Report {
    /// The metrics as Prometheus reads them.
    pub fn exposition(&self) -> String {
        let mut out = String::new();
        for metric in &self.metrics {
            let kind = match metric.kind {
                Kind::Counter => "counter",
                Kind::Gauge => "gauge",
            };
            let _ = writeln!(out, "# HELP {} {}\n# TYPE {} {kind}", metric.name, metric.help, metric.name);
            for (label, value) in &metric.samples {
                // Labels and their values are ours: nothing in them needs an escape.
                let label = label.map(|(name, value)| format!("{{{name}=\"{value}\"}}")).unwrap_or_default();
                let _ = writeln!(out, "{}{label} {value}", metric.name);
            }
        }
        out
    }

    fn readiness(&self) -> (StatusCode, String) {
        let ready = self.checks.iter().all(|(_, check)| check.is_ok());
        let checks: serde_json::Map<String, serde_json::Value> = self
            .checks
            .iter()
            .map(|(name, check)| {
                ((*name).to_owned(), check.as_ref().map_or_else(String::clone, |()| "ok".into()).into())
            })
            .collect();
        let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        (status, serde_json::json!({ "ready": ready, "checks": checks }).to_string() + "\n")
    }
}

/// Says how the process is.
pub type Look = Arc<dyn Fn() -> Report + Send + Sync>;

/// A listening server; its end is the end of this value.
pub struct Health {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Health {
    /// Listens and answers until it is dropped.
    pub async fn listen(address: SocketAddr, look: Look) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let router = Router::new()
            // It answers, so it lives: what it waits for says `/readyz`.
            .route("/healthz", get(|| async { "ok\n" }))
            .route(
                "/readyz",
                get(|State(look): State<Look>| async move {
                    let (status, text) = look().readiness();
                    (status, [(header::CONTENT_TYPE, "application/json")], text).into_response()
                }),
            )
            .route(
                "/metrics",
                get(|State(look): State<Look>| async move {
                    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], look().exposition())
                }),
            )
            .with_state(look);
        let task = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(%error, "health is not answered any more");
            }
        });
        Ok(Self { address, task })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Health {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Metrics of a connection, for peel and master alike.
pub fn of_bus(bus: &crate::bus::Bus) -> Vec<Metric> {
    let counters = bus.counters();
    vec![
        Metric::one(
            "zester_nats_connected",
            "Whether there is a connection to NATS.",
            Kind::Gauge,
            f64::from(u8::from(bus.state().borrow().is_connected())),
        ),
        Metric::one(
            "zester_nats_sessions_total",
            "Connections to NATS since the start.",
            Kind::Counter,
            counters.sessions as f64,
        ),
        Metric::one(
            "zester_nats_dropped_messages_total",
            "Messages that came faster than they were read.",
            Kind::Counter,
            counters.dropped as f64,
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prometheus_reads_it() {
        let report = Report {
            checks: vec![("nats", Ok(())), ("tree", Err("none is published".into()))],
            metrics: vec![
                Metric::one("zester_peels", "Peels.", Kind::Gauge, 3.0),
                Metric {
                    name: "zester_jobs_total",
                    help: "Jobs.",
                    kind: Kind::Counter,
                    samples: vec![(Some(("status", "done")), 2.0), (Some(("status", "failed")), 0.5)],
                },
            ],
        };
        assert_eq!(
            report.exposition(),
            "# HELP zester_peels Peels.\n# TYPE zester_peels gauge\nzester_peels 3\n\
             # HELP zester_jobs_total Jobs.\n# TYPE zester_jobs_total counter\n\
             zester_jobs_total{status=\"done\"} 2\nzester_jobs_total{status=\"failed\"} 0.5\n"
        );
        let (status, text) = report.readiness();
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(text.contains("\"tree\":\"none is published\""), "{text}");
    }
}
