//! Maker, product and firmware, as the machine's DMI tables say.

use super::{Collected, Inspection};

pub(super) fn collect(inspection: &Inspection, out: &mut Collected) {
    let dmi = |name: &str| {
        // Firmware fills what it does not know with phrases of its own.
        inspection.line(&format!("/sys/class/dmi/id/{name}")).filter(|text| {
            !matches!(
                text.to_lowercase().as_str(),
                "not specified"
                    | "none"
                    | "to be filled by o.e.m."
                    | "default string"
                    | "system serial number"
            )
        })
    };
    out.maybe("hardware.manufacturer", dmi("sys_vendor"));
    out.maybe("hardware.product", dmi("product_name"));
    out.maybe("hardware.serial", dmi("product_serial"));
    out.maybe("hardware.uuid", dmi("product_uuid").map(|uuid| uuid.to_lowercase()));
    out.maybe("hardware.bios_version", dmi("bios_version"));
    out.maybe("hardware.bios_date", dmi("bios_date"));
}
