package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// OutputFormat is the option every listing command has.
var OutputFormat = Option{Name: "output-format", Choices: []string{"text", "json", "json-pretty"}, Help: "Output format."}

// Print writes a value as JSON, or by text for people.
func Print(out io.Writer, params Params, value any, text func() error) error {
	format := params.Get("output-format")
	if format == "" || format == "text" {
		return text()
	}
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	if format == "json-pretty" {
		encoder.SetIndent("", "  ")
	}
	return encoder.Encode(value)
}

// Table draws rows; nothing if there are none. The columns `right` are aligned to the right.
func Table(out io.Writer, header []string, rows [][]string, right ...int) error {
	if len(rows) == 0 {
		return nil
	}
	t := table{widths: widthsOf(append([][]string{header}, rows...)), right: right}
	text := t.rule("┌", "─", "┬", "┐")
	if len(header) > 0 {
		text += t.line(header) + t.rule("╞", "═", "╪", "╡")
	}
	for i, row := range rows {
		if i > 0 {
			text += t.rule("├", "─", "┼", "┤")
		}
		text += t.line(row)
	}
	_, err := fmt.Fprint(out, text+t.rule("└", "─", "┴", "┘"))
	return err
}

type table struct {
	widths []int
	right  []int
}

func widthsOf(rows [][]string) []int {
	widths := make([]int, len(rows[len(rows)-1]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	return widths
}

func (t table) rule(left, fill, cross, end string) string {
	parts := make([]string, len(t.widths))
	for i, w := range t.widths {
		parts[i] = strings.Repeat(fill, w+2)
	}
	return left + strings.Join(parts, cross) + end + "\n"
}

func (t table) line(row []string) string {
	text := "│"
	for i, cell := range row {
		pad := strings.Repeat(" ", t.widths[i]-utf8.RuneCountInString(cell))
		if slices.Contains(t.right, i) {
			cell = pad + cell
		} else {
			cell += pad
		}
		text += " " + cell + " │"
	}
	return text + "\n"
}

// Bytes for people, in binary units.
func Bytes(n int64) string {
	value, unit := float64(n), 0
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	for value >= 1024 && unit < len(units)-1 {
		value /= 1024
		unit++
	}
	text := strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.3f", value), "0"), ".")
	return text + " " + units[unit]
}
