// The ADQL editor: CodeMirror in place of the text area, which stays and is what the form sends.
import { autocompletion, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { SQLDialect, sql } from "@codemirror/lang-sql";
import { HighlightStyle, bracketMatching, syntaxHighlighting } from "@codemirror/language";
import { setDiagnostics } from "@codemirror/lint";
import { EditorState } from "@codemirror/state";
import { EditorView, drawSelection, highlightActiveLine, keymap, lineNumbers } from "@codemirror/view";
import { tags } from "@lezer/highlight";

const words =
  "select top distinct all from where as and or not in between like ilike is null exists group by " +
  "having order asc desc offset join inner left right full outer cross natural on using union " +
  "intersect except with case when then else end cast";
const functions =
  "point circle box polygon region contains intersects distance area centroid coord1 coord2 coordsys " +
  "abs ceiling degrees exp floor log log10 mod pi power radians rand round sqrt truncate acos asin " +
  "atan atan2 cos cot sin tan count sum avg min max coalesce lower upper";
const adql = SQLDialect.define({ keywords: words, builtin: functions, types: "integer bigint real double char varchar timestamp" });

const look = HighlightStyle.define([
  { tag: tags.keyword, class: "t-key" },
  { tag: [tags.standard(tags.name), tags.typeName], class: "t-fun" },
  { tag: [tags.number, tags.bool, tags.null], class: "t-num" },
  { tag: tags.string, class: "t-str" },
  { tag: tags.comment, class: "t-com" },
]);

// Names from one file that the browser keeps by its hash: never a request for a key.
function completion(names) {
  const tables = Object.keys(names);
  return (context) => {
    const word = context.matchBefore(/[\w.]*/);
    if (!word || (word.from === word.to && !context.explicit)) return null;
    const text = context.state.doc.toString().toLowerCase();
    const named = tables.filter((t) => text.includes(t.split(".").pop().toLowerCase()));
    const options = new Map();
    for (const table of tables) options.set(table, { label: table, type: "class", boost: -1 });
    for (const table of named)
      for (const [name, unit, said] of names[table])
        options.set(name, { label: name, type: "property", detail: unit, info: said || undefined, boost: 2 });
    for (const w of words.split(" ")) options.set(w, { label: w.toUpperCase(), type: "keyword", boost: -2 });
    for (const f of functions.split(" ")) options.set(f, { label: f.toUpperCase(), type: "function", boost: -3 });
    const dot = word.text.lastIndexOf(".");
    const alone = dot > 0 && !tables.some((t) => t.toLowerCase().startsWith(word.text.toLowerCase()));
    return { from: word.from + (alone ? dot + 1 : 0), options: [...options.values()], validFor: /^[\w.]*$/ };
  };
}

const area = document.getElementById("q");
if (area) {
  let names = {};
  const view = new EditorView({
    parent: area.parentElement,
    state: EditorState.create({
      doc: area.value,
      extensions: [
        EditorView.cspNonce.of(document.querySelector("meta[name=nonce]").content),
        lineNumbers(),
        history(),
        drawSelection(),
        bracketMatching(),
        highlightActiveLine(),
        EditorView.lineWrapping,
        EditorView.contentAttributes.of({ "aria-label": "ADQL" }),
        sql({ dialect: adql }),
        syntaxHighlighting(look),
        autocompletion({ override: [(context) => completion(names)(context)] }),
        // Typing over a selection, the browser would copy its looks as inline style, which the page forbids.
        EditorView.domEventHandlers({
          beforeinput(event, view) {
            if (event.inputType !== "insertText" || !event.data || view.state.selection.main.empty) return false;
            view.dispatch({ ...view.state.replaceSelection(event.data), userEvent: "input.type", scrollIntoView: true });
            event.preventDefault();
            return true;
          },
        }),
        keymap.of([
          { key: "Mod-Enter", run: () => (area.form.requestSubmit(), true) },
          ...completionKeymap,
          ...defaultKeymap,
          ...historyKeymap,
          indentWithTab,
        ]),
        EditorView.updateListener.of((update) => {
          if (!update.docChanged) return;
          area.value = view.state.doc.toString();
          area.dispatchEvent(new Event("input"));
        }),
      ],
    }),
  });
  area.classList.add("replaced");
  area.insertAdjacentElement("afterend", view.dom);
  area.addEventListener("insert", (event) => {
    view.dispatch(view.state.replaceSelection(event.detail));
    view.focus();
  });
  area.addEventListener("verdict", (event) => {
    const { line, column, message } = event.detail;
    const wrong = [];
    if (line && line <= view.state.doc.lines) {
      const row = view.state.doc.line(line);
      const from = Math.min(row.from + column - 1, row.to);
      const word = view.state.wordAt(from);
      wrong.push({ from, to: word ? word.to : row.to, severity: "error", message });
    }
    view.dispatch(setDiagnostics(view.state, wrong));
  });
  fetch(area.dataset.names)
    .then((said) => said.json())
    .then((found) => (names = found));
}
