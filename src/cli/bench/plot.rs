//! `livebucket bench plot`: figures of other runs as a picture, so that how a cost grows can be seen.
//!
//! Reads lines of `SERIES<tab>X<tab>Y` and writes one SVG that needs nothing else and reads on light and dark pages. Both
//! axes are named with their units; x is logarithmic, since what grows is looked at over orders of magnitude.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::io::Read;

use super::{Failure, failed};

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 400.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 200.0;
const TOP: f64 = 44.0;
const BOTTOM: f64 = 56.0;

/// Colours that are told apart by people who see fewer of them, on white as on black.
const COLOURS: [&str; 6] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b58900", "#56b4e9"];

const STYLE: &str = "text{font:13px sans-serif;fill:#1f2328}.title{font-size:15px;font-weight:600}.page{fill:#fff}\
     .grid{stroke:#d0d7de}.axis{stroke:#656d76}\
     @media(prefers-color-scheme:dark){text{fill:#e6edf3}.page{fill:#0d1117}.grid{stroke:#30363d}.axis{stroke:#8b949e}}";

/// Arguments of `livebucket bench plot`.
#[derive(Debug, clap::Args)]
pub struct PlotArgs {
    /// What is shown
    #[arg(long)]
    title: String,
    /// Name and unit of the horizontal axis (logarithmic)
    #[arg(long)]
    x: String,
    /// Name and unit of the vertical axis (from 0)
    #[arg(long)]
    y: String,
}

/// Points of one kind, in order of x.
#[derive(Debug, PartialEq)]
struct Series {
    name: String,
    points: Vec<(f64, f64)>,
}

/// Reads the points from standard input and prints the picture.
pub(super) fn run(args: &PlotArgs) -> Result<(), Failure> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).map_err(|error| failed("reading the points", error))?;
    let series = read(&text).map_err(|line| Failure::usage(format!("`{line}` is not SERIES<tab>X<tab>Y")))?;
    if series.is_empty() {
        return Err(Failure::usage("there are no points".to_owned()));
    }
    print!("{}", svg(args, &series));
    Ok(())
}

/// The series in order of appearance; or the line that is none of a point.
fn read(text: &str) -> Result<Vec<Series>, &str> {
    let mut all: Vec<Series> = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        let mut fields = line.split('\t');
        let (name, x, y) = (fields.next(), fields.next(), fields.next());
        let number = |text: Option<&str>| text?.parse().ok().filter(|n: &f64| n.is_finite());
        let (Some(name), Some(x), Some(y), None) = (name, number(x), number(y), fields.next()) else {
            return Err(line);
        };
        if x <= 0.0 || y < 0.0 {
            return Err(line);
        }
        let at = all.iter().position(|series| series.name == name).unwrap_or_else(|| {
            all.push(Series { name: name.to_owned(), points: Vec::new() });
            all.len() - 1
        });
        all[at].points.push((x, y));
    }
    all.iter_mut().for_each(|series| series.points.sort_by(|a, b| a.0.total_cmp(&b.0)));
    Ok(all)
}

/// The whole picture.
fn svg(args: &PlotArgs, series: &[Series]) -> String {
    let points = || series.iter().flat_map(|series| &series.points);
    let (low, high) = points().fold((f64::MAX, f64::MIN), |(low, high), (x, _)| (low.min(*x), high.max(*x)));
    let step = step_for(points().map(|(_, y)| *y).fold(0.0, f64::max));
    let top = (points().map(|(_, y)| *y / step).fold(0.0, f64::max).ceil() * step).max(step);
    let span = (high / low).ln();
    let at_x = |x: f64| LEFT + (WIDTH - LEFT - RIGHT) * if span > 0.0 { (x / low).ln() / span } else { 0.5 };
    let at_y = |y: f64| HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * y / top;

    let mut out = String::new();
    let mut line = |text: std::fmt::Arguments<'_>| writeln!(out, "{text}").expect("a string takes all");
    line(format_args!("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\">"));
    line(format_args!("<title>{}</title><style>{STYLE}</style>", escaped(&args.title)));
    line(format_args!("<rect class=\"page\" width=\"{WIDTH}\" height=\"{HEIGHT}\"/>"));
    line(format_args!("<text class=\"title\" x=\"{LEFT}\" y=\"24\">{}</text>", escaped(&args.title)));
    let (right, floor) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
    for n in 0..=(top / step).round() as u32 {
        let (value, y) = (f64::from(n) * step, at_y(f64::from(n) * step));
        line(format_args!("<path class=\"grid\" d=\"M{LEFT} {y:.1}H{right}\"/>"));
        line(format_args!(
            "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            LEFT - 8.0,
            y + 4.0,
            short(value)
        ));
    }
    // The places where something was measured are all there is to say about x.
    for x in points().map(|(x, _)| x.to_bits()).collect::<BTreeSet<_>>().into_iter().map(f64::from_bits) {
        line(format_args!("<path class=\"grid\" d=\"M{:.1} {TOP}V{floor}\"/>", at_x(x)));
        line(format_args!(
            "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            at_x(x),
            floor + 18.0,
            short(x)
        ));
    }
    line(format_args!("<path class=\"axis\" fill=\"none\" d=\"M{LEFT} {TOP}V{floor}H{right}\"/>"));
    let (middle, half) = ((LEFT + right) / 2.0, (TOP + floor) / 2.0);
    line(format_args!(
        "<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
        HEIGHT - 14.0,
        escaped(&args.x)
    ));
    line(format_args!(
        "<text transform=\"translate(18 {half}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
        escaped(&args.y)
    ));
    for (n, series) in series.iter().enumerate() {
        let colour = COLOURS[n % COLOURS.len()];
        let path: Vec<String> = series.points.iter().map(|(x, y)| format!("{:.1} {:.1}", at_x(*x), at_y(*y))).collect();
        line(format_args!("<path fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" d=\"M{}\"/>", path.join("L")));
        for (x, y) in &series.points {
            line(format_args!("<circle fill=\"{colour}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"4\"/>", at_x(*x), at_y(*y)));
        }
        let y = TOP + 10.0 + 22.0 * n as f64;
        line(format_args!("<circle fill=\"{colour}\" cx=\"{}\" cy=\"{}\" r=\"4\"/>", right + 20.0, y - 4.0));
        line(format_args!("<text x=\"{}\" y=\"{y}\">{}</text>", right + 32.0, escaped(&series.name)));
    }
    line(format_args!("</svg>"));
    out
}

/// The distance of grid lines: 1, 2 or 5 of a power of ten, four to ten of them up to `highest`.
fn step_for(highest: f64) -> f64 {
    if highest <= 0.0 {
        return 1.0;
    }
    let power = 10f64.powf((highest / 4.0).log10().floor());
    [5.0, 2.0, 1.0].map(|n| n * power).into_iter().find(|step| highest / step >= 4.0).unwrap_or(power)
}

/// A number as people write it: 1 k, 0.25, 3 M.
fn short(value: f64) -> String {
    let (scaled, unit) = match value {
        1e6.. => (value / 1e6, " M"),
        1e3.. => (value / 1e3, " k"),
        _ => (value, ""),
    };
    // Sums of tenths have digits behind the last that counts.
    format!("{}{unit}", (scaled * 1e4).round() / 1e4)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_grouped_by_series_and_ordered_by_x() {
        let found = read("b\t10\t1\na\t1\t2\nb\t1\t0.5\n").expect("points");
        assert_eq!(found[0], Series { name: "b".into(), points: vec![(1.0, 0.5), (10.0, 1.0)] });
        assert_eq!(found[1].name, "a");
        for wrong in ["a\t1", "a\t0\t1", "a\t1\t-1", "a\tx\t1", "a\t1\t1\t1", "a\t1\tNaN"] {
            assert_eq!(read(wrong), Err(wrong));
        }
    }

    #[test]
    fn grid_lines_stand_at_round_numbers() {
        for (highest, step) in [(0.0, 1.0), (0.03, 0.005), (4.0, 1.0), (9.0, 2.0), (100.0, 20.0), (1_900.0, 200.0)] {
            assert!((step_for(highest) - step).abs() < 1e-9, "{highest}: {}", step_for(highest));
        }
        assert_eq!(
            [0.1 + 0.2, 1_000.0, 100_000.0, 1e6, 2_500.0].map(short),
            ["0.3", "1 k", "100 k", "1 M", "2.5 k"].map(str::to_owned)
        );
    }

    #[test]
    fn the_picture_is_well_formed_and_says_what_it_shows() {
        let args = PlotArgs { title: "a < b".into(), x: "objects".into(), y: "ms & more".into() };
        let picture = svg(&args, &read("one & all\t1\t2\none & all\t1000\t3\n").expect("points"));
        let mut reader = quick_xml::Reader::from_str(&picture);
        let mut words = String::new();
        loop {
            match reader.read_event().expect("well-formed") {
                quick_xml::events::Event::Eof => break,
                quick_xml::events::Event::Text(text) => words.push_str(&text),
                _ => {}
            }
        }
        for word in ["objects", "1 k"] {
            assert!(words.contains(word), "{word} in {words}");
        }
        assert!(picture.contains("a &lt; b") && picture.contains("one &amp; all") && picture.contains("ms &amp; more"));
        assert_eq!(picture.matches("<circle").count(), 3, "two points and a name");
    }
}
