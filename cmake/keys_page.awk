# awk -v part=head|keys -f keys_page.awk usher.example.yaml
# The text of a manual page: what stands in the file before its first key, or each key with its comment. A comment stands
# before its keys; one that begins with a key and says what each choice does ('on_cancel: keep or …: …') is that key's.
function escaped(line) {
    gsub(/\\/, "\\e", line)
    gsub(/-/, "\\-", line)
    while (match(line, /`[^`]*`/))
        line = substr(line, 1, RSTART - 1) "\\fB" substr(line, RSTART + 1, RLENGTH - 2) "\\fR" \
            substr(line, RSTART + RLENGTH)
    sub(/^[.']/, "\\\\\\&&", line)
    return line
}
function flush(    i) {
    if (!inside)
        head = head text
    else if (text != "") {
        for (i = 1; i <= count; ++i)
            keys = keys (i == 1 ? ".TP\n" : ".TQ\n") ".B " tags[i] "\n"
        keys = keys (count ? "" : ".PP\n") text
    }
    text = ""
    count = 0
    explained = 0
}
function add_key(value) {
    if (!(name in seen))
        tags[++count] = escaped(name ":" (value == "" ? "" : " " value))
    seen[name] = 1
}
/^ *$/ { flush(); next }
{
    comment = $0 ~ /^ *# /
    line = $0
    sub(/^ *(# )?/, "", line)
    name = value = line
    sub(/:.*/, "", name)
    sub(/^[^:]*: */, "", value)
    is_key = line ~ /^[a-z_]+:( |$)/
}
is_key && !comment && /^[a-z]/ {
    inside = 1
    add_key(value)
    section = name == "projects" ? "projects.NAME." : name "."
    next
}
section == "projects.NAME." && /^  [a-z]/ { flush(); next }
inside { name = section name }
inside && is_key && (!comment || value !~ / / || value ~ /^\{.*\}$/) {
    if (explained)
        flush()
    add_key(value)
    next
}
inside && is_key && comment && value ~ /^[a-z]+ or [a-z_]+: / {
    flush()
    explained = 1
    add_key("")
    text = escaped(value) "\n"
    next
}
{
    if (count && !explained)
        flush()
    text = text escaped(line) "\n"
}
END {
    flush()
    printf "%s", part == "head" ? head : keys
}
