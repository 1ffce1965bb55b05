//! The figures that are committed.

use std::fmt::Write;
use std::fs;

use crate::rows::ROWS;

/// Rows and their instructions, and what they were counted with.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    pub(crate) tools: String,
    rows: Vec<(String, u64)>,
}

impl Figures {
    /// Those of `figures.txt`; none where it is not there.
    pub(crate) fn read() -> Self {
        let text = fs::read_to_string(FILE).unwrap_or_default();
        let mut lines = text.lines();
        let tools = lines.find_map(|line| line.strip_prefix(TOOLS)).unwrap_or_default().into();
        let rows = lines.filter_map(|line| {
            let (name, count) = line.rsplit_once("  ")?;
            Some((name.trim().into(), count.trim().parse().ok()?))
        });
        Self { tools, rows: rows.collect() }
    }

    pub(crate) fn of(&self, name: &str) -> Option<u64> {
        self.rows.iter().find(|(row, _)| row == name).map(|(_, count)| *count)
    }

    pub(crate) fn set(&mut self, name: &str, count: u64) {
        self.rows.retain(|(row, _)| row != name);
        self.rows.push((name.into(), count));
    }

    /// In the order of the rows.
    pub(crate) fn write(&self) {
        let mut text = format!("{HEAD}{TOOLS}{}\n\n", self.tools);
        for row in ROWS {
            if let Some(count) = self.of(row.name) {
                let _ = writeln!(text, "{:<48}{count:>9}", row.name);
            }
        }
        fs::write(FILE, text).expect("the file can be written");
    }
}

const HEAD: &str = "\
Instructions that the server spends in user space, for each message or whatever the row names. Written by
`UPDATE=1 cargo run --release` in this folder, and explained in main.rs.
";
const TOOLS: &str = "Counted with: ";
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/figures.txt");
