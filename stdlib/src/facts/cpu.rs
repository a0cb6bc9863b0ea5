//! Processors.

use super::{Collected, Inspection};
use std::collections::HashSet;

pub(super) fn collect(inspection: &Inspection, out: &mut Collected) {
    let text = inspection.read("/proc/cpuinfo").unwrap_or_default();
    let mut logical = 0;
    let mut cores = HashSet::new();
    let (mut model, mut vendor, mut mhz, mut cache, mut flags) = (None, None, None, None, None);
    let mut package = String::new();
    for line in text.lines() {
        let Some((key, value)) = line.split_once(':') else { continue };
        let value = value.trim();
        match key.trim() {
            "processor" => logical += 1,
            "physical id" => value.clone_into(&mut package),
            "core id" => {
                cores.insert((package.clone(), value.to_owned()));
            }
            // What 64-bit ARM lacks is given by the kernel under other names.
            "model name" | "cpu model" | "Processor" if model.is_none() => model = Some(value.to_owned()),
            "vendor_id" | "CPU implementer" if vendor.is_none() => vendor = Some(value.to_owned()),
            "cpu MHz" if mhz.is_none() => mhz = value.parse::<f64>().ok(),
            "cache size" if cache.is_none() => {
                cache = value.split_whitespace().next().and_then(|kb| kb.parse::<i64>().ok());
            }
            "flags" | "Features" if flags.is_none() => {
                flags = Some(value.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
            }
            _ => {}
        }
    }
    // Some architectures number their processors in other words.
    let logical = i64::from(logical.max(1));
    out.fact("cpu.count", logical);
    out.fact("cpu.logical_count", logical);
    out.fact("cpu.physical_count", if cores.is_empty() { logical } else { cores.len() as i64 });
    out.maybe("cpu.model", model);
    out.maybe("cpu.vendor", vendor);
    out.maybe("cpu.mhz", mhz);
    out.maybe("cpu.cache_size", cache);
    out.maybe("cpu.flags", flags);
}
