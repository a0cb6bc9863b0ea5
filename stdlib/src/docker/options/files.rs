//! What a container has of the machine's files and devices, and what it may do.

use super::{
    super::{
        client::text,
        rows::{Rows, keys, strings},
        text::{bind, binds, capability, device, list, pairs, security},
    },
    Options,
};
use serde_json::Value as Json;
use std::collections::BTreeSet;

impl Options {
    pub(super) fn volumes(&self, image: Option<&Json>, rows: &mut Rows<'_>) -> Result<(), String> {
        let (mut bound, inside): (Vec<String>, Vec<String>) =
            binds(&self.volumes).into_iter().partition(|text| text.contains(':'));
        bound.extend(binds(&self.binds));
        rows.list("binds", "--volume", "/HostConfig/Binds", &bound, bind);
        let mut all: BTreeSet<String> =
            keys(image.and_then(|image| image.pointer("/Config/Volumes"))).into_iter().collect();
        let inside = list(&inside);
        for path in &inside {
            rows.say("--volume", path);
        }
        all.extend(inside.iter().cloned());
        let have = keys(rows.at("/Config/Volumes")).into_iter().collect();
        rows.sets("volumes", !inside.is_empty(), all, have);
        let from = list(&self.volumes_from);
        rows.list("volumes_from", "--volumes-from", "/HostConfig/VolumesFrom", &from, bind);
        let driver = self.volume_driver.as_deref();
        rows.text("volume_driver", "--volume-driver", "/HostConfig/VolumeDriver", driver, Some(""));
        let tmpfs = pairs("tmpfs", &self.tmpfs, ':')?;
        let words: Vec<String> = tmpfs
            .iter()
            .map(
                |(path, options)| if options.is_empty() { path.clone() } else { format!("{path}:{options}") },
            )
            .collect();
        for word in &words {
            rows.say("--tmpfs", word);
        }
        let have = strings(rows.at("/HostConfig/Tmpfs"));
        let one = |(path, options): (String, String)| format!("{path}:{options}");
        rows.sets(
            "tmpfs",
            !words.is_empty(),
            tmpfs.into_iter().map(one).collect(),
            have.into_iter().map(one).collect(),
        );
        Ok(())
    }

    pub(super) fn rights(&self, image: Option<&Json>, rows: &mut Rows<'_>) {
        let of_image = |path: &str| image.map_or("", |image| text(image, path));
        rows.text("user", "--user", "/Config/User", self.user.as_deref(), Some(of_image("/Config/User")));
        let default = of_image("/Config/WorkingDir");
        let directory = self.working_dir.as_deref();
        rows.text("working_dir", "--workdir", "/Config/WorkingDir", directory, Some(default));
        rows.list("group_add", "--group-add", "/HostConfig/GroupAdd", &list(&self.group_add), str::to_owned);
        rows.switch("privileged", "--privileged", "/HostConfig/Privileged", self.privileged);
        rows.list("cap_add", "--cap-add", "/HostConfig/CapAdd", &list(&self.cap_add), capability);
        rows.list("cap_drop", "--cap-drop", "/HostConfig/CapDrop", &list(&self.cap_drop), capability);
        if !self.security_opt.is_empty() {
            let path = "/HostConfig/SecurityOpt";
            rows.list("security_opt", "--security-opt", path, &security(&self.security_opt), str::to_owned);
        }
        rows.switch("read_only", "--read-only", "/HostConfig/ReadonlyRootfs", self.read_only);
        let devices = list(&self.devices);
        for text in &devices {
            rows.say("--device", text);
        }
        let part = |of: &Json, name: &str| of.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
        let have = rows.at("/HostConfig/Devices").and_then(Json::as_array).into_iter().flatten().map(|of| {
            ["PathOnHost", "PathInContainer", "CgroupPermissions"].map(|name| part(of, name)).join(":")
        });
        let (wanted, have) = (devices.iter().map(|text| device(text)).collect(), have.collect());
        rows.sets("devices", !devices.is_empty(), wanted, have);
    }
}
