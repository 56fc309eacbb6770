//! The names of passwords in other languages than English. A name in [`super::name`] may be a part of a
//! longer one; these are whole words, because most consist of other letters.

use super::name::{Name, Strength};

/// In lower case, and with a capital where the first letter is not in ASCII.
#[rustfmt::skip]
pub const NAMES: &[&str] = &[
    "kennwort", "kennw\u{f6}rter", "wachtwoord", "l\u{f6}senord", "passord", "adgangskode",
    "contrase\u{f1}a", "contrasena", "clave", "senha", "palavra-passe", "mot de passe", "mot_de_passe", "motdepasse",
    "has\u{142}o", "haslo",
    "\u{15f}ifre", "\u{15e}ifre", "parolas\u{131}",
    "\u{43f}\u{430}\u{440}\u{43e}\u{43b}\u{44c}", "\u{41f}\u{430}\u{440}\u{43e}\u{43b}\u{44c}",
    "\u{5bc6}\u{7801}", "\u{5bc6}\u{78bc}", "\u{53e3}\u{4ee4}",
    "\u{30d1}\u{30b9}\u{30ef}\u{30fc}\u{30c9}", "\u{6697}\u{8a3c}\u{756a}\u{53f7}",
    "\u{be44}\u{bc00}\u{bc88}\u{d638}", "\u{c554}\u{d638}",
];

pub const NAME: Name = Name { strength: Strength::Password, kind: "password" };

/// Whether the name at `at` is a word, or a part of `DB_SENHA`.
pub fn is_word(text: &str, at: usize, len: u8) -> bool {
    let end = at + usize::from(len);
    let is_letter = |c: char| c.is_alphanumeric() && c.is_ascii();
    !text[..at].ends_with(is_letter)
        && text.get(end..).is_some_and(|rest| !rest.starts_with(is_letter))
}

/// Whether `value` can be the password of the name. `clave` also means a key, whose values are words.
pub fn may_have(name: &str, value: &str) -> bool {
    !name.eq_ignore_ascii_case("clave") || value.bytes().any(|b| b.is_ascii_digit())
}
