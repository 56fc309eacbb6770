//! Reads the modules of the program and the paths that each of them names, with `syn`.
//!
//! The reader follows `mod` declarations from `src/main.rs`, so it reads the files that the
//! compiler reads, on every platform. It skips every item, statement and field under
//! `#[cfg(test)]`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, Item, Meta, UseTree};

/// A path as segments: `crate::store::Store` is `["crate", "store", "Store"]`.
pub type Segments = Vec<String>;

/// One module that is part of a build without tests.
#[derive(Default)]
pub struct Module {
    /// `store::queue`; the crate's root is empty.
    pub name: Segments,
    /// Relative to the repository.
    pub file: PathBuf,
    /// Every path that the code names, as written.
    pub paths: Vec<Segments>,
    /// The names that `use` brings into scope, with their paths as written.
    imports: BTreeMap<String, Segments>,
    /// Every string literal of the code, without comments.
    pub literals: Vec<String>,
}

/// All modules of one crate by name.
pub struct Modules(BTreeMap<Segments, Module>);

/// What a path refers to.
pub struct Target<'a> {
    pub module: &'a Module,
    /// Whether the path names an item of the module, not the module itself.
    pub is_item: bool,
}

impl Modules {
    /// Reads `src/main.rs` below `root` and every module that it declares.
    pub fn read(root: &Path) -> Modules {
        let mut modules = Modules(BTreeMap::new());
        modules.read_file(root, Path::new("src/main.rs"), Vec::new());
        modules
    }

    pub fn iter(&self) -> impl Iterator<Item = &Module> {
        self.0.values()
    }

    fn read_file(&mut self, root: &Path, file: &Path, name: Segments) {
        let text = fs::read_to_string(root.join(file)).unwrap();
        let syntax = syn::parse_file(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        self.add(root, file, name, &syntax.items);
    }

    fn add(&mut self, root: &Path, file: &Path, name: Segments, items: &[Item]) {
        let mut reader = Reader {
            module: Module { name: name.clone(), file: file.to_owned(), ..Module::default() },
        };
        for item in items {
            match item {
                Item::Mod(child) if !is_test_only(&child.attrs) => {
                    let child_name = [&name[..], &[child.ident.to_string()]].concat();
                    match &child.content {
                        Some((_, items)) => self.add(root, file, child_name, items),
                        None => self.read_file(root, &file_of(root, &child_name), child_name),
                    }
                }
                item => reader.visit_item(item),
            }
        }
        self.0.insert(name, reader.module);
    }

    /// Returns the target of `path`, written in module `from`. Follows imports and re-exports to the
    /// module that declares the item. Returns `None` for names outside the crate, names declared in
    /// `from` itself, and local variables.
    pub fn resolve(&self, from: &Module, path: &[String]) -> Option<Target<'_>> {
        self.resolve_within(from, path, 8)
    }

    /// `hops` limits how many imports are followed, because imports can refer to each other.
    fn resolve_within(&self, from: &Module, path: &[String], hops: usize) -> Option<Target<'_>> {
        let mut at = match path.first()?.as_str() {
            "crate" => Vec::new(),
            "self" | "super" => from.name.clone(),
            _ => return self.descend(from.name.clone(), path, hops, false),
        };
        let mut rest = path;
        while let Some(first) = rest.first() {
            match first.as_str() {
                "super" => drop(at.pop()),
                "self" | "crate" => {}
                _ => break,
            }
            rest = &rest[1..];
        }
        self.descend(at, rest, hops, true)
    }

    /// Follows `path` from module `at`. If the path is `qualified`, it began with `crate`, `self` or
    /// `super`, and its first segment is a name in `at`. Otherwise that segment may also be a crate or a
    /// local variable.
    fn descend(
        &self,
        mut at: Segments,
        path: &[String],
        hops: usize,
        qualified: bool,
    ) -> Option<Target<'_>> {
        for (n, segment) in path.iter().enumerate() {
            at.push(segment.clone());
            if self.0.contains_key(&at) {
                continue;
            }
            at.pop();
            let module = &self.0[&at];
            if let Some(import) = module.imports.get(segment) {
                let path = [&import[..], &path[n + 1..]].concat();
                let is_crate = n == 0 && !qualified && import.first() == Some(segment);
                return (hops > 0 && !is_crate)
                    .then(|| self.resolve_within(module, &path, hops - 1))?;
            }
            return (n > 0 || qualified).then_some(Target { module, is_item: true });
        }
        Some(Target { module: self.0.get(&at)?, is_item: false })
    }
}

fn file_of(root: &Path, name: &[String]) -> PathBuf {
    let path = Path::new("src").join(name.join("/"));
    let file = path.with_extension("rs");
    if root.join(&file).exists() { file } else { path.join("mod.rs") }
}

/// Collects the paths of one module.
struct Reader {
    module: Module,
}

impl Reader {
    fn add_use(&mut self, prefix: &[String], tree: &UseTree) {
        let with = |name: &syn::Ident| [prefix, &[name.to_string()]].concat();
        match tree {
            UseTree::Path(path) => self.add_use(&with(&path.ident), &path.tree),
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.add_use(prefix, tree);
                }
            }
            UseTree::Name(name) if name.ident == "self" => {
                let name = prefix.last().cloned().unwrap_or_default();
                self.add_import(name, prefix.to_vec());
            }
            UseTree::Name(name) => self.add_import(name.ident.to_string(), with(&name.ident)),
            UseTree::Rename(name) => self.add_import(name.rename.to_string(), with(&name.ident)),
            UseTree::Glob(_) => self.module.paths.push([prefix, &["*".to_owned()]].concat()),
        }
    }

    fn add_import(&mut self, name: String, path: Segments) {
        self.module.paths.push(path.clone());
        self.module.imports.insert(name, path);
    }

    /// A macro contains tokens, not syntax. Every sequence like `a::b::c` in it counts as a path.
    fn add_tokens(&mut self, tokens: TokenStream) {
        let mut path = Segments::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                TokenTree::Ident(ident) if colons == 2 => {
                    path.push(ident.to_string());
                    colons = 0;
                }
                token => {
                    self.module.paths.push(std::mem::take(&mut path));
                    colons = 0;
                    match token {
                        TokenTree::Ident(ident) => path.push(ident.to_string()),
                        TokenTree::Group(group) => self.add_tokens(group.stream()),
                        TokenTree::Literal(literal) => {
                            self.module.literals.push(literal.to_string());
                        }
                        TokenTree::Punct(_) => {}
                    }
                }
            }
        }
        self.module.paths.push(path);
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast Item) {
        if !is_test_only(item_attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item(&mut self, item: &'ast syn::ImplItem) {
        let attributes: &[Attribute] = match item {
            syn::ImplItem::Const(item) => &item.attrs,
            syn::ImplItem::Fn(item) => &item.attrs,
            syn::ImplItem::Type(item) => &item.attrs,
            _ => &[],
        };
        if !is_test_only(attributes) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_local(&mut self, local: &'ast syn::Local) {
        if !is_test_only(&local.attrs) {
            visit::visit_local(self, local);
        }
    }

    fn visit_field(&mut self, field: &'ast syn::Field) {
        if !is_test_only(&field.attrs) {
            visit::visit_field(self, field);
        }
    }

    fn visit_field_value(&mut self, field: &'ast syn::FieldValue) {
        if !is_test_only(&field.attrs) {
            visit::visit_field_value(self, field);
        }
    }

    fn visit_variant(&mut self, variant: &'ast syn::Variant) {
        if !is_test_only(&variant.attrs) {
            visit::visit_variant(self, variant);
        }
    }

    fn visit_arm(&mut self, arm: &'ast syn::Arm) {
        if !is_test_only(&arm.attrs) {
            visit::visit_arm(self, arm);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.add_use(&[], &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.module.paths.push(path.segments.iter().map(|s| s.ident.to_string()).collect());
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, mac: &'ast syn::Macro) {
        self.visit_path(&mac.path);
        self.add_tokens(mac.tokens.clone());
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if let Meta::List(list) = &attribute.meta {
            self.add_tokens(list.tokens.clone());
        }
    }

    fn visit_lit_str(&mut self, literal: &'ast syn::LitStr) {
        self.module.literals.push(literal.value());
    }

    /// Skips `pub(super)`, which names a module but uses nothing from it.
    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}
}

fn item_attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::ForeignMod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// Whether a `cfg` attribute excludes the item from every build without tests.
fn is_test_only(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) if list.path.is_ident("cfg") => {
            list.parse_args().is_ok_and(|condition| needs_test(&condition))
        }
        _ => false,
    })
}

/// `test`, `all(…, test, …)`, or `any` of conditions that each need it.
fn needs_test(condition: &Meta) -> bool {
    let conditions = |list: &syn::MetaList| {
        list.parse_args_with(syn::punctuated::Punctuated::<Meta, syn::Token![,]>::parse_terminated)
            .unwrap_or_default()
    };
    match condition {
        Meta::Path(path) => path.is_ident("test"),
        Meta::List(list) if list.path.is_ident("all") => conditions(list).iter().any(needs_test),
        Meta::List(list) if list.path.is_ident("any") => conditions(list).iter().all(needs_test),
        _ => false,
    }
}
