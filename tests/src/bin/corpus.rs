//! Writes what fuzzers begin from: `corpus DIRECTORY` makes a folder of files for each entry.

use std::{env, fs, path::PathBuf};
use zester_tests::entry::{ENTRIES, seeds};

fn main() -> std::io::Result<()> {
    let Some(directory) = env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: corpus DIRECTORY");
        std::process::exit(2);
    };
    for entry in ENTRIES {
        let folder = directory.join(entry.name);
        fs::create_dir_all(&folder)?;
        for (number, input) in (entry.corpus)().into_iter().chain(seeds(entry.name)).enumerate() {
            fs::write(folder.join(format!("{number:04}")), input)?;
        }
    }
    Ok(())
}
