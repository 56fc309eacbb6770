//! The names of secret files, and the table that finds a part of them in a text.

use super::SecretFile;
use crate::capture::word_table::WordTable;

/// Names of files.
pub const LINES: [&str; 88] = [
    ".env",
    ".envrc",
    ".flaskenv",
    ".dev.vars",
    ".netrc",
    "_netrc",
    ".npmrc",
    ".yarnrc",
    ".yarnrc.yml",
    ".pypirc",
    ".my.cnf",
    ".pg_service.conf",
    ".dockercfg",
    ".dockerconfigjson",
    "credentials",
    "credentials.json",
    ".credentials.json",
    "credentials.toml",
    "credentials.yml",
    "credentials.yaml",
    "credentials.xml",
    "credentials.ini",
    "credentials.csv",
    ".credentials",
    "secrets.toml",
    "secrets.yaml",
    "secrets.yml",
    "secrets.json",
    "secrets.xml",
    "secrets.ini",
    "secrets.properties",
    "secret.yaml",
    "secret.yml",
    "secret.json",
    "secret.toml",
    ".secrets",
    ".s3cfg",
    ".boto",
    ".authinfo",
    "credentials.tfrc.json",
    ".terraformrc",
    "terraform.rc",
    "terraform.tfstate",
    "terraform.tfstate.backup",
    "kubeconfig",
    "application_default_credentials.json",
    "serviceaccountkey.json",
    "service-account.json",
    "service_account.json",
    "client_secret.json",
    "client_secrets.json",
    "accesstokens.json",
    "msal_token_cache.json",
    "oauth_creds.json",
    "auth.json",
    "hosts.yml",
    "settings-security.xml",
    "keystore.properties",
    "signing.properties",
    "key.properties",
    "rclone.conf",
    ".rclone.conf",
    "wpa_supplicant.conf",
    ".smbcredentials",
    "smbcredentials",
    ".msmtprc",
    ".fetchmailrc",
    ".offlineimaprc",
    ".mbsyncrc",
    "sasl_passwd",
    "wp-config.php",
    "local_settings.py",
    "parameters.yml",
    "ngrok.yml",
    ".databrickscfg",
    ".snowsql",
    "connections.toml",
    "kaggle.json",
    ".sentryclirc",
    ".renviron",
    "passwords.txt",
    "password.txt",
    "secrets.txt",
    "filezilla.xml",
    "recentservers.xml",
    "sitemanager.xml",
    "sftp-config.json",
    "vault.yml",
];

pub const OPAQUE: [&str; 58] = [
    ".pgpass",
    "pgpass.conf",
    ".git-credentials",
    ".htpasswd",
    ".htdigest",
    "id_rsa",
    "id_dsa",
    "id_ecdsa",
    "id_ed25519",
    "id_ed25519_sk",
    "id_ecdsa_sk",
    "id_xmss",
    "identity",
    ".vault-token",
    ".vault_pass",
    ".vault_pass.txt",
    ".vault_password",
    "vault_pass.txt",
    "vault-password",
    ".mylogin.cnf",
    ".passwd-s3fs",
    "passwd-s3fs",
    "shadow",
    "gshadow",
    "shadow-",
    "master.passwd",
    "master.key",
    "secring.gpg",
    "secring.pgp",
    "wallet.dat",
    "logins.json",
    "key4.db",
    "key3.db",
    "cookies.sqlite",
    "cookies.txt",
    "login data",
    "credentials.db",
    "access_tokens.db",
    "sui.keystore",
    "mnemonic.txt",
    "seed.txt",
    "private.txt",
    "privatekey.txt",
    "apikey.txt",
    "api_key.txt",
    "token.txt",
    "tokens.txt",
    "secret.txt",
    "passwd.txt",
    "pass.txt",
    ".token",
    ".apikey",
    ".api_key",
    ".secret",
    ".password",
    "secret_token",
    "access-token",
    "keys.txt",
];

/// Extensions, with the dot.
pub const LINES_EXTENSIONS: [&str; 13] = [
    ".env",
    ".tfvars",
    ".tfvars.json",
    ".kubeconfig",
    ".ovpn",
    ".nmconnection",
    ".secrets",
    ".secret",
    ".credentials",
    ".pgpass",
    ".netrc",
    ".publishsettings",
    ".rdp",
];

pub const OPAQUE_EXTENSIONS: [&str; 33] = [
    ".pem",
    ".key",
    ".p12",
    ".pfx",
    ".jks",
    ".keystore",
    ".bks",
    ".kdbx",
    ".kdb",
    ".ppk",
    ".p8",
    ".pk8",
    ".pkcs12",
    ".pkcs8",
    ".agekey",
    ".privkey",
    ".priv",
    ".pvk",
    ".snk",
    ".keytab",
    ".psafe3",
    ".keychain",
    ".keychain-db",
    ".wallet",
    ".gpg",
    ".asc",
    ".jceks",
    ".ovpn.key",
    ".cer.key",
    ".htpasswd",
    ".der.key",
    ".sec",
    ".token",
];

/// Folders and names of files in them. An empty name: any file.
pub const IN_FOLDERS: [(&str, &str, SecretFile); 35] = [
    (".kube", "config", SecretFile::Lines),
    (".docker", "config.json", SecretFile::Lines),
    (".aws", "config", SecretFile::Lines),
    (".gnupg", "", SecretFile::Opaque),
    (".password-store", "", SecretFile::Opaque),
    (".azure", "azureprofile.json", SecretFile::Lines),
    ("gh", "hosts.yml", SecretFile::Lines),
    ("glab-cli", "config.yml", SecretFile::Lines),
    (".config", "hub", SecretFile::Lines),
    ("doctl", "config.yaml", SecretFile::Lines),
    ("netlify", "config.json", SecretFile::Lines),
    (".netlify", "config.json", SecretFile::Lines),
    (".cargo", "credentials", SecretFile::Lines),
    (".bundle", "config", SecretFile::Lines),
    (".m2", "settings.xml", SecretFile::Lines),
    (".gradle", "gradle.properties", SecretFile::Lines),
    (".nuget", "nuget.config", SecretFile::Lines),
    ("wireguard", "", SecretFile::Lines),
    ("huggingface", "token", SecretFile::Opaque),
    (".huggingface", "token", SecretFile::Opaque),
    (".oci", "config", SecretFile::Lines),
    (".snowsql", "config", SecretFile::Lines),
    (".dbt", "profiles.yml", SecretFile::Lines),
    (".fly", "config.yml", SecretFile::Lines),
    (".railway", "config.json", SecretFile::Lines),
    ("configstore", "firebase-tools.json", SecretFile::Lines),
    (".stripe", "config.toml", SecretFile::Lines),
    ("stripe", "config.toml", SecretFile::Lines),
    ("hcloud", "cli.toml", SecretFile::Lines),
    (".circleci", "cli.yml", SecretFile::Lines),
    ("github-copilot", "hosts.json", SecretFile::Lines),
    ("github-copilot", "apps.json", SecretFile::Lines),
    (".mc", "config.json", SecretFile::Lines),
    (".vscode", "sftp.json", SecretFile::Lines),
    (".twilio-cli", "config.json", SecretFile::Lines),
];

/// Parts of names with more before or after them. What may stand inside of a word begins with a mark or with `ea`:
/// `client_secret_`, `service-account`, `serviceaccount`.
pub const AFFIXES: [&str; 12] = [
    ".env.",
    ".netrc.",
    "_secret_",
    "-account",
    "_account",
    "eaccount",
    "ssh_host_",
    "_rsa",
    "_ed25519",
    "_ecdsa",
    "_dsa",
    "keystore",
];

const N_WORDS: usize = LINES.len()
    + OPAQUE.len()
    + LINES_EXTENSIONS.len()
    + OPAQUE_EXTENSIONS.len()
    + IN_FOLDERS.len()
    + AFFIXES.len();

/// A part of every name above. Each begins where [`WordTable::scan_starts`] looks.
pub static WORDS: WordTable<(), N_WORDS> = {
    let mut all = [("", ()); N_WORDS];
    let mut n = 0;
    macro_rules! add {
        ($list:expr, $word:expr) => {
            let mut i = 0;
            while i < $list.len() {
                all[n] = ($word($list[i]), ());
                n += 1;
                i += 1;
            }
        };
    }
    const fn word(word: &'static str) -> &'static str {
        word
    }
    const fn folder(entry: (&'static str, &'static str, SecretFile)) -> &'static str {
        // The shorter folders have a longer file name.
        if entry.0.len() > 2 { entry.0 } else { entry.1 }
    }
    add!(LINES, word);
    add!(OPAQUE, word);
    add!(LINES_EXTENSIONS, word);
    add!(OPAQUE_EXTENSIONS, word);
    add!(IN_FOLDERS, folder);
    add!(AFFIXES, word);
    WordTable::new(all)
};
