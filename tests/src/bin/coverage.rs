//! Prints how much of what real trees use the standard library knows: `tests/bench/run coverage`.

use zester_tests::usage::{Coverage, Table};

/// What is aimed at: per cent of uses, per cent of files.
const GOAL: (f64, f64) = (95.0, 90.0);

fn main() {
    let table = Table::read();
    let library = zester_executor::local::library();
    let coverage = Coverage::of(&table, library.registry());
    let Coverage { uses, named, total, whole_to, files, missing } = &coverage;
    println!(
        "State functions in the usage study: {} named of {}",
        table.functions.len(),
        table.total_functions
    );
    println!(
        "uses that are known, at least      {:5.1} %   {uses} of {total}   (goal {} %)",
        coverage.percent(),
        GOAL.0
    );
    println!("  of those whose function is named {:5.1} %   {uses} of {named}", coverage.percent_of_named());
    println!(
        "files fully known, at least        {files:5.1} %   all of the first {whole_to} functions are known   (goal {} %)",
        GOAL.1
    );
    println!(
        "Uses of functions that the study does not name count as unknown; a file counts when it uses nothing behind the first function"
    );
    println!(
        "that is not known or not named. So both are the least that is certain from the table; parameters are not counted in it."
    );
    if !missing.is_empty() {
        println!("\nnot known:\n{:>5}  {:<34} {:>6} {:>6}", "rank", "function", "uses", "repos");
        for used in missing {
            println!("{:>5}  {:<34} {:>6} {:>6}", used.rank, used.name, used.uses, used.repositories);
        }
    }
}
