//! `mount.*` functions: what is mounted, and what `/etc/fstab` says.

use crate::{
    Library,
    mount::{active, fstab},
};
use zester_compiler::types::{Map, Path, Value};

exec! {
    /// What is mounted, by its place: device, kind and options.
    "mount.active" probe Active {
        /// Whether there is more to know.
        #[arg(inert = "everything that is known is always given")]
        extended: Option<bool>,
    } |_, cx| {
        let all = active::all(cx).map_err(|f| f.message)?;
        Ok(Value::Map(all.into_iter().map(|mount| {
            (mount.point, Value::Map(Map::from_iter([
                ("device".to_owned(), Value::from(mount.device)),
                ("fstype".to_owned(), mount.kind.into()),
                ("opts".to_owned(), mount.options.into()),
                ("root".to_owned(), mount.root.into()),
            ])))
        }).collect()))
    }
}

exec! {
    /// Whether something is mounted at a place.
    "mount.is_mounted" probe IsMounted {
        /// The place.
        name: Path,
    } |it, cx| {
        let all = active::all(cx).map_err(|f| f.message)?;
        let place = if it.name.0 == "/" { "/" } else { it.name.trim_end_matches('/') };
        Ok(Value::Bool(active::at(&all, place).is_some()))
    }
}

exec! {
    /// What a file of mounts says, by the place: device, kind, options.
    "mount.fstab" probe Fstab {
        /// The file.
        #[arg(default = "/etc/fstab")]
        config: Path,
    } |it, cx| {
        let table = fstab::Table::read(cx, &it.config).map_err(|f| f.message)?;
        Ok(Value::Map(table.entries().into_iter().map(|entry| {
            let options: Vec<&str> = entry.options.split(',').collect();
            // Swap has no place; its device keeps several apart.
            let place = match entry.point.as_str() {
                "none" | "swap" => entry.device.clone(),
                point => point.to_owned(),
            };
            (place, Value::Map(Map::from_iter([
                ("device".to_owned(), Value::from(entry.device.as_str())),
                ("fstype".to_owned(), entry.kind.as_str().into()),
                ("opts".to_owned(), options.into()),
                ("dump".to_owned(), entry.dump.to_string().into()),
                ("pass".to_owned(), entry.pass.to_string().into()),
            ])))
        }).collect()))
    }
}

/// Adds the module's functions.
pub(super) fn register(library: &mut Library) {
    library.exec::<Active>().exec::<IsMounted>().exec::<Fstab>();
}

#[cfg(test)]
mod tests {
    use crate::{
        exec::tests::{call, gives},
        provider::fake::FakeMachine,
    };

    #[test]
    fn places_are_keys() {
        let machine = FakeMachine::new();
        let list =
            "22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n23 22 8:2 / /srv/a\\040b rw - xfs /dev/sda2 rw\n";
        machine.files.put("/proc/self/mountinfo", list);
        machine
            .files
            .put("/etc/fstab", "# note\nUUID=1 / ext4 defaults,noatime 0 1\n/dev/sda3 none swap sw 0 0\n");
        gives(&machine, "mount.is_mounted", r#"["/srv/a b/"]"#, "true");
        gives(&machine, "mount.is_mounted", r#"["/"]"#, "true");
        gives(&machine, "mount.is_mounted", r#"["/srv"]"#, "false");
        let active = call(&machine, "mount.active", "[]", "{}").unwrap();
        assert_eq!(active.lookup("/|fstype", '|').and_then(|v| v.as_str()), Some("ext4"));
        let fstab = call(&machine, "mount.fstab", "[]", "{}").unwrap();
        assert_eq!(fstab.lookup("/|opts|1", '|').and_then(|v| v.as_str()), Some("noatime"));
        assert_eq!(fstab.lookup("/dev/sda3|fstype", '|').and_then(|v| v.as_str()), Some("swap"));
    }
}
