//! Which file of `src` imports which: rooms lie in layers, and no files import each other in a
//! circle. Read from the paths in the code itself.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use syn::visit::{self, Visit};

/// A module by its path: `["engine", "send"]`; that of `lib.rs` is empty.
type Module = Vec<String>;

/// The code of the library, without its tests.
struct House {
    /// The parsed file of each module, and whether it is a `mod.rs` or `lib.rs`.
    files: BTreeMap<Module, (syn::File, bool)>,
}

impl House {
    fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut files = BTreeMap::new();
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let name = path.file_stem().unwrap().to_str().unwrap();
                let is_tests = name == "tests" || path == root.join("bin");
                if path.is_dir() && !is_tests {
                    folders.push(path);
                } else if path.extension().is_some_and(|end| end == "rs") && !is_tests {
                    let inside = path.strip_prefix(&root).unwrap().with_extension("");
                    let mut module: Module =
                        inside.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
                    let is_folder = name == "mod" || name == "lib";
                    if is_folder {
                        module.pop();
                    }
                    let code = syn::parse_file(&std::fs::read_to_string(&path).unwrap()).unwrap();
                    files.insert(module, (code, is_folder));
                }
            }
        }
        assert!(files.len() > 80, "{} files", files.len());
        Self { files }
    }

    /// The modules that each module imports from.
    fn imports(&self) -> BTreeMap<Module, BTreeSet<Module>> {
        let mut imports = BTreeMap::new();
        for (module, (code, _)) in &self.files {
            let mut from = BTreeSet::new();
            for path in paths(code) {
                if let Some(home) = self.home(module, &path).filter(|home| home != module) {
                    from.insert(home);
                }
            }
            imports.insert(module.clone(), from);
        }
        imports
    }

    /// The module in which the last name of a path is defined; `None` for other crates.
    fn home(&self, module: &Module, path: &[String]) -> Option<Module> {
        let mut at = module.clone();
        let mut rest = path;
        match rest.first()?.as_str() {
            "crate" => {
                at.clear();
                rest = &rest[1..];
            }
            "self" => rest = &rest[1..],
            "super" => {
                while rest.first().is_some_and(|name| name == "super") {
                    at.pop();
                    rest = &rest[1..];
                }
            }
            child => {
                at.push(child.to_owned());
                if !self.files.contains_key(&at) {
                    return None;
                }
                rest = &rest[1..];
            }
        }
        self.follow(at, rest)
    }

    /// Goes down from a module by names, through modules and what they export of their children.
    fn follow(&self, mut at: Module, mut rest: &[String]) -> Option<Module> {
        loop {
            let (code, _) = self.files.get(&at)?;
            let Some((name, others)) = rest.split_first() else { return Some(at) };
            let mut child = at.clone();
            child.push(name.clone());
            if self.files.contains_key(&child) {
                (at, rest) = (child, others);
                continue;
            }
            let exported = exports(code).into_iter().find(|path| path.last() == Some(name));
            return match exported {
                Some(path) => self.home(&at, &path[..path.len() - 1]).or(Some(at)),
                None => Some(at),
            };
        }
    }
}

/// The paths of all `use`s and of all other code, but for tests.
fn paths(code: &syn::File) -> Vec<Vec<String>> {
    struct Paths(Vec<Vec<String>>);
    impl<'a> Visit<'a> for Paths {
        fn visit_item(&mut self, item: &'a syn::Item) {
            let attributes = match item {
                syn::Item::Mod(item) => &item.attrs,
                syn::Item::Use(item) => &item.attrs,
                _ => return visit::visit_item(self, item),
            };
            if !is_for_tests(attributes) {
                visit::visit_item(self, item);
            }
        }
        fn visit_item_use(&mut self, item: &'a syn::ItemUse) {
            leaves(&item.tree, &mut Vec::new(), &mut self.0);
        }
        fn visit_path(&mut self, path: &'a syn::Path) {
            let names: Vec<_> = path.segments.iter().map(|part| part.ident.to_string()).collect();
            if names.len() > 1 {
                self.0.push(names);
            }
            visit::visit_path(self, path);
        }
    }
    let mut paths = Paths(Vec::new());
    paths.visit_file(code);
    paths.0
}

fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Ident>().is_ok_and(|name| name == "test")
    })
}

/// The paths that a module hands on.
fn exports(code: &syn::File) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    for item in &code.items {
        if let syn::Item::Use(item) = item
            && !matches!(item.vis, syn::Visibility::Inherited)
        {
            leaves(&item.tree, &mut Vec::new(), &mut paths);
        }
    }
    paths
}

/// `a::{b, c::d}` as `a::b` and `a::c::d`.
fn leaves(tree: &syn::UseTree, before: &mut Vec<String>, paths: &mut Vec<Vec<String>>) {
    let mut push = |name: Option<&syn::Ident>| {
        let mut path = before.clone();
        path.extend(name.map(ToString::to_string).filter(|name| name != "self"));
        paths.push(path);
    };
    match tree {
        syn::UseTree::Path(part) => {
            before.push(part.ident.to_string());
            leaves(&part.tree, before, paths);
            before.pop();
        }
        syn::UseTree::Name(name) => push(Some(&name.ident)),
        syn::UseTree::Rename(name) => push(Some(&name.ident)),
        syn::UseTree::Glob(_) => push(None),
        syn::UseTree::Group(group) => {
            for tree in &group.items {
                leaves(tree, before, paths);
            }
        }
    }
}

/// The rooms from top to bottom, as the map in `lib.rs` lists them.
fn rooms() -> Vec<String> {
    let lib = include_str!("../../src/lib.rs");
    let mut rooms = Vec::new();
    for row in lib.lines().filter_map(|line| line.strip_prefix("//! | [`")) {
        let first_cell = row.split(" | ").next().unwrap();
        rooms.extend(first_cell.split("`], [`").map(|name| name.replace("`]", "")));
    }
    rooms
}

#[test]
fn no_room_reaches_up() {
    let house = House::read();
    let rooms = rooms();
    let height = |room: &str| rooms.iter().position(|other| other == room);
    let mut checked = 0;
    for (module, imports) in house.imports() {
        let Some(room) = module.first() else { continue };
        let own = height(room).unwrap_or_else(|| panic!("{room} is not in the map of lib.rs"));
        for import in imports.iter().filter_map(|import| import.first()) {
            let other = height(import).unwrap_or_else(|| panic!("{import} is not in the map"));
            assert!(other >= own, "{} imports from {import}", module.join("/"));
            checked += 1;
        }
    }
    assert!(checked > 200, "{checked} imports");
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let house = House::read();
    let mut imports = house.imports();
    // A file that imports none of those that are left, or that none of them imports, is in no
    // circle. A folder's own file, which only declares and hands on, is no partner of one.
    imports.retain(|module, _| !house.files[module].1);
    assert!(imports.len() > 80, "{} files", imports.len());
    loop {
        let left: BTreeSet<_> = imports.keys().cloned().collect();
        let imported: BTreeSet<_> = imports.values().flatten().cloned().collect();
        imports.retain(|module, from| {
            imported.contains(module) && from.iter().any(|other| left.contains(other))
        });
        if imports.len() == left.len() {
            break;
        }
    }
    let names: Vec<_> = imports.keys().map(|module| module.join("/")).collect();
    assert!(names.is_empty(), "in a circle, or between two: {}", names.join(", "));
}
