# cmake -DROOT=DIR -P layering_test.cmake: checks the #includes of lib/, daemon/ and ctl/ against the tables below.
# cmake -DSELF_TEST=WORK_DIR -P layering_test.cmake: plants violations and expects each of them to be found.
cmake_minimum_required(VERSION 3.25)

# What each layer may include from, beside itself. Arrows point down only; store and provider are strangers.
set(layers crypto core settings config async store provider service)
set(crypto_uses "")
set(core_uses crypto)
set(settings_uses core crypto)
set(config_uses settings core crypto)
set(async_uses core)
set(store_uses async core crypto)
set(provider_uses settings core crypto)
set(service_uses store provider async core crypto)
set(daemon_uses ${layers})
set(ctl_uses ${layers})

# Foreign headers that only some folders may name, so that each of these libraries stays behind one door.
set(fenced sqlite asio https yaml openssl json options ical metrics)
set(sqlite_headers "SQLiteCpp/|sqlite3")
set(sqlite_folders lib/src/store/sqlite)
# What only a store's own folder knows. Names of log events stay what they were.
set(sqlite_words "SQLite::|sqlite3_|PRAGMA|WAL[^a-z]|(^|[^a-z])wal_|[^a-z\"-]wal[^a-z.]|checkpoint|data_version|LockGap"
  "lock_gap|busy_timeout|page_(size|count)|(^|[^a-z_])epoch[^a-z(]")
string(REPLACE ";" "|" sqlite_words "${sqlite_words}")
set(asio_headers "boost/")
set(asio_folders lib/include/usher/async lib/src/async lib/include/usher/store lib/src/store
  lib/include/usher/provider lib/src/provider lib/include/usher/service lib/src/service daemon)
set(https_headers "boost/beast|boost/asio/ssl")
set(https_folders lib/src/provider/beast_transport.cpp daemon/http_server.cpp)
set(yaml_headers "yaml-cpp/")
set(yaml_folders lib/src/config)
set(openssl_headers "openssl/")
set(openssl_folders lib/src/crypto lib/src/provider/beast_transport.cpp)
set(json_headers "nlohmann/")
set(json_folders lib/src/core lib/src/provider ctl daemon/log_format.cpp daemon/status_pages.cpp)
set(ical_headers "libical/")
set(ical_folders ctl/calendar.cpp ctl/calendar_zones.hpp ctl/calendar_zones.cpp)
set(metrics_headers "prometheus/")
set(metrics_folders lib/include/usher/service/metrics.hpp lib/src/service/metrics.cpp daemon)
set(options_headers "CLI/")
set(options_folders daemon/main.cpp ctl/commands.cpp) # it takes seconds to compile

if(DEFINED SELF_TEST)
  # path|line|text that the complaint must contain; "-" for a line that is allowed.
  set(plants
    "lib/include/usher/crypto/a.hpp|#include <usher/crypto/b.hpp>|-"
    "lib/src/core/a.cpp|#include <usher/crypto/b.hpp>|-"
    "lib/src/service/a.cpp|#  include <usher/store/store.hpp>|-"
    "lib/src/store/sqlite/a.cpp|#include <SQLiteCpp/Database.h>|-"
    "lib/src/store/a.cpp|#include <SQLiteCpp/Database.h>|sqlite headers"
    "lib/src/store/a.cpp|#include \"store/sqlite/migrations.hpp\"|-"
    "daemon/a.cpp|#include <usher/service/a.hpp>|-"
    "lib/src/store/a.cpp|#include <usher/service/log_event.hpp>|store must not include from service"
    "ctl/a.cpp|#include <usher/config/load.hpp>|-"
    "tests/core/a_test.cpp|#include <sqlite3.h>|-"
    "lib/include/usher/crypto/a.hpp|#include <usher/core/b.hpp>|crypto must not include from core"
    "lib/src/core/a.cpp|#include <usher/store/store.hpp>|core must not include from store"
    "lib/src/core/deep/er.cpp| # include \"usher/config/load.hpp\"|core must not include from config"
    "lib/src/async/a.cpp|#include <usher/crypto/secret.hpp>|async must not include from crypto"
    "lib/include/usher/store/a.hpp|#include <usher/async/clock.hpp>|-"
    "lib/src/provider/a.cpp|#include <usher/store/store.hpp>|provider must not include from store"
    "lib/src/provider/a.cpp|#include \"store/sqlite/migrations.hpp\"|provider must not include from store"
    "lib/src/service/a.cpp|#include <usher/config/config.hpp>|service must not include from config"
    "lib/src/service/a.cpp|#include <usher/settings/key.hpp>|service must not include from settings"
    "lib/src/config/a.cpp|#include <usher/settings/key.hpp>|-"
    "lib/src/provider/a/kind.cpp|#include <usher/settings/key.hpp>|-"
    "lib/src/config/a.cpp|#include <usher/provider/kinds.hpp>|config must not include from provider"
    "lib/src/settings/a.cpp|#include <usher/provider/kinds.hpp>|settings must not include from provider"
    "lib/src/store/a.cpp|#include \"../core/secret.hpp\"|must not climb"
    "lib/include/usher/store/a.hpp|#include <SQLiteCpp/Database.h>|sqlite headers"
    "ctl/a.cpp|#include <sqlite3.h>|sqlite headers"
    "lib/src/config/a.cpp|#include <boost/asio.hpp>|asio headers"
    "lib/src/provider/a.cpp|#include <boost/beast/http.hpp>|https headers"
    "lib/src/provider/a.cpp|#include <boost/asio/ssl.hpp>|https headers"
    "daemon/a.cpp|#include <yaml-cpp/yaml.h>|yaml headers"
    "lib/src/core/a.cpp|#include <openssl/evp.h>|openssl headers"
    "lib/include/usher/core/a.hpp|#include <nlohmann/json.hpp>|json headers"
    "ctl/calendar.cpp|#include <libical/ical.h>|-"
    "ctl/import.cpp|#include <libical/ical.h>|ical headers"
    "lib/src/store/sqlite/a.cpp|    PRAGMA data_version|-"
    "lib/include/usher/store/sqlite/a.hpp|    int wal_pages() const|-"
    "tests/support/sqlite/a.hpp|    SQLite::Database platform|-"
    "tests/service/a_test.cpp|    SQLite::Database platform|-"
    "daemon/a.cpp|    log_event(\"wal.kept\"_event)|-"
    "lib/src/core/a.cpp|    value.time_since_epoch()|-"
    "lib/include/usher/store/a.hpp|    int wal_pages() const|names what only store/sqlite knows"
    "lib/include/usher/store/a.hpp|    std::int64_t data_version() const|names what only store/sqlite knows"
    "lib/src/service/a.cpp|    /// The WAL is written first.|names what only store/sqlite knows"
    "lib/src/service/a.cpp|    store.checkpoint(mode)|names what only store/sqlite knows"
    "daemon/a.cpp|    LockGap gap|names what only store/sqlite knows"
    "ctl/a.cpp|    database.exec(\"PRAGMA synchronous = NORMAL\")|names what only store/sqlite knows"
    "daemon/a.cpp|    constexpr int page_size = 4096|names what only store/sqlite knows"
    "ctl/a.cpp|    sqlite3_busy_handler(handle)|names what only store/sqlite knows"
    "daemon/a.cpp|    // once the epoch is ours|names what only store/sqlite knows"
    "tests/support/a.hpp|    SQLite::Database platform|names what only store/sqlite knows"
    "tests/service/a.hpp|    SQLite::Database platform|names what only store/sqlite knows"
    "lib/src/store/sqlite/database.cpp|    SQLite::Database copy{path}|-"
    "lib/src/store/sqlite/a.cpp|void read(SQLite::Database& database)|-"
    "lib/src/store/sqlite/a.cpp|    std::unique_ptr<SQLite::Database> database|-"
    "lib/src/store/sqlite/a.cpp|    SQLite::Database copy{path}|opens a database"
    "lib/src/store/sqlite/a.cpp|    SQLite::Database{path}.exec(sql)|opens a database"
    "lib/src/store/sqlite/a.cpp|    auto copy = std::make_unique<SQLite::Database>(path)|opens a database"
    "lib/src/store/sqlite/a.cpp|    sqlite3_open_v2(path, handle, 0, nullptr)|opens a database"
    "lib/src/provider/a/kind.cpp|    .name = \"sandbox\",|-"
    "lib/src/config/a.cpp|    if (provider == \"vonage\")|names a kind of provider"
    "ctl/a.cpp|    return project.provider != \"sandbox\"|names a kind of provider"
    "lib/src/core/a.cpp|    return format == TokenFormat::t1 ? 1 : 2|asks which token format it is"
    "ctl/a.cpp|    if (token.format != TokenFormat::jwt)|asks which token format it is"
    "daemon/a.cpp|    co_spawn(context, work(), asio::detached)|asio::detached"
    "tests/async/a_test.cpp|    co_spawn(context, work(), boost::asio::detached)|asio::detached"
    "ctl/a.cpp|    std::snprintf(text, 8, format, number)|-"
    "daemon/print_line.cpp|    std::printf(text)|-"
    "ctl/a.cpp|    std::cout << meeting.id|prints past"
    "daemon/a.cpp|    std::fprintf(stderr, text)|prints past"
    "lib/src/core/a.cpp|    printf(text)|prints past")
  foreach(plant IN LISTS plants)
    string(REPLACE "|" ";" plant "${plant}")
    list(GET plant 0 path)
    list(GET plant 1 line)
    list(GET plant 2 complaint)
    file(REMOVE_RECURSE ${SELF_TEST})
    file(WRITE ${SELF_TEST}/lib/src/core/innocent.cpp "#include <vector>\n")
    file(WRITE ${SELF_TEST}/${path} "#include <string>\n${line}\n")
    execute_process(COMMAND ${CMAKE_COMMAND} -DROOT=${SELF_TEST} -P ${CMAKE_CURRENT_LIST_FILE}
      RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
    string(FIND "${output}" "${path}:" named)
    string(FIND "${output}" "${complaint}" explained)
    if(complaint STREQUAL "-" AND NOT status EQUAL 0)
      message(SEND_ERROR "refused although allowed: ${path}: ${line}\n${output}")
    elseif(NOT complaint STREQUAL "-" AND (status EQUAL 0 OR named EQUAL -1 OR explained EQUAL -1))
      message(SEND_ERROR "not found, or not explained by '${complaint}': ${path}: ${line}\n${output}")
    endif()
  endforeach()
  file(REMOVE_RECURSE ${SELF_TEST})
  return()
endif()

set(violations "")
function(complain file line text)
  set(violations "${violations}${file}: ${line}\n    ${text}\n" PARENT_SCOPE)
endfunction()

file(GLOB_RECURSE files RELATIVE ${ROOT}
  ${ROOT}/lib/*.hpp ${ROOT}/lib/*.cpp ${ROOT}/daemon/*.hpp ${ROOT}/daemon/*.cpp ${ROOT}/ctl/*.hpp ${ROOT}/ctl/*.cpp)
if(NOT files)
  message(FATAL_ERROR "no sources in ${ROOT}")
endif()

foreach(file IN LISTS files)
  string(REGEX REPLACE "^(lib/include/usher|lib/src)/" "" owner "${file}")
  string(REGEX REPLACE "/.*" "" owner "${owner}")
  if(NOT DEFINED ${owner}_uses)
    complain("${file}" "" "is in no layer; the layers are ${layers}")
    continue()
  endif()

  file(STRINGS ${ROOT}/${file} includes REGEX "^[ \t]*#[ \t]*include")
  foreach(include IN LISTS includes)
    string(REGEX REPLACE "^[ \t]*#[ \t]*include[ \t]*[<\"]([^>\"]*).*" "\\1" header "${include}")

    # A private header of another layer is out of bounds just as a public one.
    string(REGEX REPLACE "^usher/" "" target "${header}")
    string(REGEX REPLACE "/.*" "" target "${target}")
    list(FIND layers "${target}" is_layer)
    if(NOT is_layer EQUAL -1 AND NOT target STREQUAL owner AND NOT target IN_LIST ${owner}_uses)
      complain("${file}" "${include}" "${owner} must not include from ${target}")
    endif()
    if(header MATCHES "(^|/)\\.\\./")
      complain("${file}" "${include}" "an include must not climb out of its folder")
    endif()

    foreach(fence IN LISTS fenced)
      if(NOT header MATCHES "^(${${fence}_headers})")
        continue()
      endif()
      set(inside FALSE)
      foreach(folder IN LISTS ${fence}_folders)
        if(file MATCHES "^${folder}(/|$)")
          set(inside TRUE)
        endif()
      endforeach()
      if(NOT inside)
        complain("${file}" "${include}" "${fence} headers belong to: ${${fence}_folders}")
      endif()
    endforeach()
  endforeach()
endforeach()

# A second database knows none of the first one's words. Tests of what platforms do speak SQL by SQLite; what many tests
# share does not.
file(GLOB_RECURSE shared_files RELATIVE ${ROOT} ${ROOT}/tests/*.hpp)
list(FILTER shared_files EXCLUDE REGEX "^tests/(store/sqlite|support/sqlite|simulation)/")
foreach(file IN LISTS files shared_files)
  if(file MATCHES "^lib/(src|include/usher)/store/sqlite/")
    continue()
  endif()
  file(STRINGS ${ROOT}/${file} lines REGEX "${sqlite_words}")
  foreach(line IN LISTS lines)
    string(STRIP "${line}" line)
    complain("${file}" "${line}" "names what only store/sqlite knows; tell it by the port, or by a HealthRow")
  endforeach()
endforeach()

# One file opens databases, so that each connection waits, and trusts what is in the file, as that one decides.
foreach(file IN LISTS files)
  if(file STREQUAL "lib/src/store/sqlite/database.cpp")
    continue()
  endif()
  file(STRINGS ${ROOT}/${file} lines REGEX "SQLite::Database( [a-z_]+)?[{(]|<SQLite::Database>\\(|sqlite3_open")
  foreach(line IN LISTS lines)
    string(STRIP "${line}" line)
    complain("${file}" "${line}" "opens a database; lib/src/store/sqlite/database.cpp does that")
  endforeach()
endforeach()

# A detached coroutine's exception vanishes, and nothing waits for it at stop: every task lives in a TaskGroup.
file(GLOB_RECURSE all_files RELATIVE ${ROOT} ${ROOT}/tests/*.hpp ${ROOT}/tests/*.cpp ${ROOT}/bench/*.cpp)
foreach(file IN LISTS files all_files)
  file(STRINGS ${ROOT}/${file} lines REGEX "asio::detached")
  foreach(line IN LISTS lines)
    string(STRIP "${line}" line)
    complain("${file}" "${line}" "asio::detached loses exceptions; spawn into a TaskGroup")
  endforeach()
endforeach()

# Whatever differs from one kind of provider, or one token format, to the next is declared by it.
foreach(file IN LISTS files)
  if(NOT file MATCHES "^lib/(src|include/usher)/provider/")
    file(STRINGS ${ROOT}/${file} lines REGEX "\"(sandbox|opentok|vonage)\"")
    foreach(line IN LISTS lines)
      string(STRIP "${line}" line)
      complain("${file}" "${line}" "names a kind of provider; ask what its declaration says")
    endforeach()
  endif()
  file(STRINGS ${ROOT}/${file} lines REGEX "[!=]= *TokenFormat::")
  foreach(line IN LISTS lines)
    string(STRIP "${line}" line)
    complain("${file}" "${line}" "asks which token format it is; ask what its declaration says")
  endforeach()
endforeach()

# What rows and servers hold must not reach a terminal as it is.
foreach(file IN LISTS files)
  if(file STREQUAL "daemon/print_line.cpp" OR file STREQUAL "ctl/main.cpp")
    continue()
  endif()
  file(STRINGS ${ROOT}/${file} lines REGEX "std::(cout|cerr|clog) *<<|(^|[^n])printf\\(|fputs\\(|std::puts\\(")
  foreach(line IN LISTS lines)
    string(STRIP "${line}" line)
    complain("${file}" "${line}" "prints past ctl/printer.hpp or daemon/print_line.hpp, which escape what is not ours")
  endforeach()
endforeach()

if(violations)
  message(NOTICE "${violations}") # as it is: an error would be wrapped
  message(FATAL_ERROR "includes that the layers forbid are listed above; the tables are in ${CMAKE_CURRENT_LIST_FILE}")
endif()
