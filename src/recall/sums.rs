//! Sums by rowid. There are tens of thousands per query, and SQLite chose the numbers: they need no hash
//! that resists an attacker.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use crate::text::Mixer;

pub type Sums = HashMap<i64, f64, BuildHasherDefault<Mixer>>;
