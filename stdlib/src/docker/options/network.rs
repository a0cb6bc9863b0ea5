//! Ports, names and networks of a container.

use super::{
    super::{
        rows::{Rows, keys},
        text::{bindings, list, pairs, ports},
    },
    Options,
};
use serde_json::Value as Json;
use std::collections::BTreeSet;

impl Options {
    pub(super) fn network(&self, image: Option<&Json>, rows: &mut Rows<'_>) -> Result<(), String> {
        let mut told: BTreeSet<String> =
            keys(image.and_then(|image| image.pointer("/Config/ExposedPorts"))).into_iter().collect();
        for text in list(&self.ports) {
            rows.say("--expose", &text);
            told.extend(ports(&text)?);
        }
        let mut bound = BTreeSet::new();
        for text in list(&self.port_bindings) {
            rows.say("--publish", &text);
            bound.extend(bindings(&text)?);
        }
        told.extend(bound.iter().filter_map(|binding| Some(binding.rsplit_once(':')?.1.to_owned())));
        let stated = !self.ports.is_empty();
        let have = keys(rows.at("/Config/ExposedPorts")).into_iter().collect();
        rows.sets("ports", stated, told, have);
        let mut have = BTreeSet::new();
        for (inside, all) in
            rows.at("/HostConfig/PortBindings").and_then(Json::as_object).into_iter().flatten()
        {
            for one in all.as_array().into_iter().flatten() {
                let part = |name: &str| one.get(name).and_then(Json::as_str).unwrap_or_default();
                have.insert(format!("{}:{}:{inside}", part("HostIp"), part("HostPort")));
            }
        }
        rows.sets("port_bindings", !bound.is_empty(), bound, have);
        rows.switch(
            "publish_all_ports",
            "--publish-all",
            "/HostConfig/PublishAllPorts",
            self.publish_all_ports,
        );
        rows.text("network_mode", "--network", "/HostConfig/NetworkMode", self.network_mode()?, None);
        rows.text("hostname", "--hostname", "/Config/Hostname", self.hostname.as_deref(), None);
        rows.text("domainname", "--domainname", "/Config/Domainname", self.domainname.as_deref(), Some(""));
        rows.text("mac_address", "--mac-address", "/Config/MacAddress", self.mac_address.as_deref(), None);
        let hosts = pairs("extra_hosts", &self.extra_hosts, ':')?;
        let hosts: Vec<String> =
            hosts.into_iter().map(|(name, address)| format!("{name}:{address}")).collect();
        rows.list("extra_hosts", "--add-host", "/HostConfig/ExtraHosts", &hosts, str::to_owned);
        rows.list("dns", "--dns", "/HostConfig/Dns", &list(&self.dns), str::to_owned);
        let search = list(&self.dns_search);
        rows.list("dns_search", "--dns-search", "/HostConfig/DnsSearch", &search, str::to_owned);
        rows.list("dns_opt", "--dns-option", "/HostConfig/DnsOptions", &list(&self.dns_opt), str::to_owned);
        let links: Vec<String> = pairs("links", &self.links, ':')?
            .into_iter()
            .map(|(other, alias)| if alias.is_empty() { other } else { format!("{other}:{alias}") })
            .collect();
        // The daemon tells `/other:/this/alias`.
        rows.list("links", "--link", "/HostConfig/Links", &links, |text| {
            let (other, alias) = text.split_once(':').unwrap_or((text, text));
            let alias = alias.rsplit('/').next().unwrap_or(alias);
            format!("{}:{alias}", other.trim_start_matches('/'))
        });
        Ok(())
    }

    fn network_mode(&self) -> Result<Option<&str>, String> {
        match (self.network_disabled, self.network_mode.as_deref()) {
            (Some(true), Some(mode)) if mode != "none" => Err(format!(
                "`network_disabled: true` and `network_mode: {mode}` exclude each other; leave one out"
            )),
            (Some(true), _) => Ok(Some("none")),
            (_, mode) => Ok(mode),
        }
    }
}
