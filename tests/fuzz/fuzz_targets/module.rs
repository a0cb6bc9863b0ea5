//! See the entry of this name in `tests/src/entry/`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| (zester_tests::entry::entry("module").run)(data));
