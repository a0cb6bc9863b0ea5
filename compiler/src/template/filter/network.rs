//! Filters of addresses and networks.

use super::failure;
use crate::template::{environment::plain_text, mutable, python};
use ipnet::IpNet;
use minijinja::{Environment, Error, Value, value::ValueKind};
use std::net::IpAddr;

/// Most addresses of a network that are listed.
const MAX_HOSTS: usize = 65_536;

fn address(text: &str) -> Option<IpAddr> {
    text.split('%').next()?.parse().ok()
}

fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| address(text).map(IpNet::from))
}

fn is(text: &str, v4: bool, v6: bool) -> bool {
    network(text).is_some_and(|n| match n {
        IpNet::V4(_) => v4,
        IpNet::V6(_) => v6,
    })
}

fn kept(value: &Value, v4: bool, v6: bool) -> Result<Value, Error> {
    if value.kind() == ValueKind::Seq {
        let items = python::items(value)?.into_iter().filter(|i| is(&plain_text(i), v4, v6));
        return Ok(mutable::list(items.collect()));
    }
    Ok(if is(&plain_text(value), v4, v6) { value.clone() } else { Value::from(()) })
}

pub(super) fn register(env: &mut Environment<'static>) {
    env.add_filter("is_ip", |v: &Value| address(&plain_text(v)).is_some());
    env.add_filter("is_ipv4", |v: &Value| address(&plain_text(v)).is_some_and(|a| a.is_ipv4()));
    env.add_filter("is_ipv6", |v: &Value| address(&plain_text(v)).is_some_and(|a| a.is_ipv6()));
    env.add_filter("ipaddr", |v: &Value| kept(v, true, true));
    env.add_filter("ipv4", |v: &Value| kept(v, true, false));
    env.add_filter("ipv6", |v: &Value| kept(v, false, true));
    env.add_filter("ip_host", |v: &Value| -> Result<String, Error> {
        let text = plain_text(v);
        network(&text).map(|n| n.to_string()).ok_or_else(|| failure(format!("`{text}` is no address")))
    });
    env.add_filter("network_hosts", |v: &Value| -> Result<Value, Error> {
        let text = plain_text(v);
        let network = text.parse::<IpNet>().map_err(|_| failure(format!("`{text}` is no network")))?.trunc();
        Ok(mutable::list(network.hosts().take(MAX_HOSTS).map(|h| Value::from(h.to_string())).collect()))
    });
    env.add_filter("network_size", |v: &Value| -> Result<f64, Error> {
        let text = plain_text(v);
        let network = text.parse::<IpNet>().map_err(|_| failure(format!("`{text}` is no network")))?;
        Ok(2f64.powi(i32::from(network.max_prefix_len() - network.prefix_len())))
    });
}
