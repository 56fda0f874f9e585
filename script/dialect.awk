# usage: awk -f script/dialect.awk FILE...
# Finds what is not written as everywhere else: `const` stands before a value and behind what is pointed or referred
# to, as in `const int x`, `int const& x`, `int const* x`; a limit is named for what it limits, as in `name_max`.
function complain(text) {
    printf "%s:%d: %s\n    %s\n", FILENAME, FNR, text, $0
    found = 1
}
/^[ \t]*\/\// { next }
{
    line = $0
    gsub(/"([^"\\]|\\.)*"/, "\"\"", line)
    sub(/\/\/.*/, "", line)
}
line ~ /(^|[^A-Za-z_])const [A-Za-z_:]+(<[^;(){}]*>)? ?[&*]/ { complain("write `T const&` and `T const*`") }
line ~ /(^|[^A-Za-z_:<>])(auto|bool|int|seconds|sys_seconds|std::[a-z_0-9]+) const ([a-z_0-9]+( =|[{;(]| :)|\[)/ {
    complain("write `const T x`")
}
line ~ /constexpr .*[^A-Za-z_](max|min|longest|shortest|largest|smallest)_[a-z_]+( =|\{)/ { complain("write `x_max`, `x_min`") }
END { exit found }
