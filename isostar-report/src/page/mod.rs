//! The report as one HTML file without scripts, in the reader's colour scheme.

mod certainty;
mod results;
mod settings;
mod table;
mod what;

use std::fmt::Write as _;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::figure::palette::{self, Scheme};
use super::figures::{Figures, models};
use super::group::groups;
use super::source::Sources;

/// Content security policy: no requests, no scripts; only inline styles are allowed.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

const STYLE: &str = include_str!("style.css");

/// Returns the page for these sources.
pub fn page(sources: &Sources) -> Markup {
    let groups = groups(&sources.runs);
    let models = models(sources);
    let figures = Figures::of(&groups, &models);
    let title = what::title(&groups, &models);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="generator" content=(concat!("isostar ", env!("CARGO_PKG_VERSION")));
                title { (title) " – isostar report" }
                style { (PreEscaped(style_sheet())) }
            }
            body {
                main {
                    header {
                        h1 { (title) }
                        p class="lead" { (what::lead(&groups, &models)) }
                    }
                    section { h2 { "What was run" } (what::section(&groups, &models)) }
                    section { h2 { "What came out" } (results::section(&groups, &models)) }
                    section { h2 { "How sure we are" } (certainty::section(&groups, &models)) }
                    section { h2 { "Figures" } (figures_section(&figures)) }
                    section { h2 { "Settings" } (settings::section(&groups, &models)) }
                    footer {
                        "Made by isostar " (env!("CARGO_PKG_VERSION")) " from the files named above. IsoScore is 0 where all variance lies in one direction, and 1 where \
                         every direction has the same."
                    }
                }
            }
        }
    }
}

fn style_sheet() -> String {
    let mut css = String::new();
    for (scheme, open, close) in [
        (Scheme::Light, ":root{color-scheme:light dark;", "}"),
        (
            Scheme::Dark,
            "@media (prefers-color-scheme:dark){:root{",
            "}}",
        ),
    ] {
        css += open;
        for (name, value) in palette::colours(scheme) {
            let _ = write!(css, "--{name}:{value};");
        }
        css += close;
        css.push('\n');
    }
    for (name, _) in palette::colours(Scheme::Light).iter().skip(4) {
        let _ = writeln!(css, ".swatch.{name}{{background:var(--{name})}}");
    }
    css + STYLE + &palette::style_sheet(|name| format!("var(--{name})"))
}

fn figures_section(figures: &Figures) -> Markup {
    html! {
        @if !figures.shown.is_empty() {
            div class="figures" {
                @for figure in &figures.shown {
                    figure id=(figure.id) {
                        h3 { (figure.title) }
                        (figure.inline())
                        figcaption { (figure.caption) }
                    }
                }
            }
        }
        @if !figures.missing.is_empty() {
            h3 style="margin-top:36px" { "Not shown" }
            ul {
                @for missing in &figures.missing {
                    li { (missing.what) ": needs " (code(missing.remedy)) "." }
                }
            }
        }
    }
}

/// Renders text, with the parts between backticks as code.
fn code(text: &str) -> Markup {
    html! {
        @for (at, part) in text.split('`').enumerate() {
            @if at % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}
