# usage: awk -f script/coroutine_guard.awk FILE...
# Finds what g++ 12 destroys twice inside a co_await expression: braced temporaries, and lambdas that own captures.
# Both draw no warning. The way out is a name: `const Request request{...}; co_await send(request);`

FNR == 1 { statement = "" }

{
    line = $0
    sub(/\/\/.*/, "", line)
    if (statement == "") {
        start = index(line, "co_await")
        if (!start) next
        line = substr(line, start)
        first = FNR
    }
    statement = statement " " line
    # Ends with the statement, or with the brace that opens a block after `if (co_await …)`.
    if (line !~ /;/ && line !~ /\{[ \t]*$/) next
    text = statement
    statement = ""

    gsub(/"([^"\\]|\\.)*"/, "text", text)
    sub(/\)[ \t]*\{[ \t]*$/, ")", text)
    gsub(/(wait_for_one|wait_for_all|wait_for_one_error|wait_for_one_success)\{\}/, "", text) # empty: nothing to destroy
    owning = text ~ /[(,= ]\[[^]]*=[^]]*\]/ || text ~ /[(, ]\[([^]]*,)?[ \t]*[A-Za-z_*][A-Za-z_0-9]*[ \t]*(,[^]]*)?\]/ && text !~ /[(, ]\[this\]/
    gsub(/\[(&|this|&[ \t]*,[ \t]*this|this[ \t]*,[ \t]*&|)\][ \t]*(\([^)]*\))?[^{(]*\{/, "", text)
    if (owning || text ~ /\{/) {
        printf "%s:%d: name this before co_await:%s\n", FILENAME, first, substr(text, 1, 120)
        found = 1
    }
}

END { exit found }
