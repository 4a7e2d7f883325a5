/* check_canon.c - canonical JSON is what Python prints, hashes and fingerprints are the golden ones.
 * SPDX-License-Identifier: MIT */
#include "../../src/canon.h"
#include "../../src/json.h"
#include "../support/fault_alloc.h"

#include <check.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

Suite *suite_canon(void);

static tako_host canon_host(struct fault_alloc *f)
{
    tako_options opts = TAKO_OPTIONS_INIT;
    tako_host host;

    fault_alloc_init(f);
    opts.alloc = fault_alloc_use(f);
    tako__host_init(&host, &opts);
    return host;
}

/* ---- golden hashes ----------------------------------------------------------------------- */

static const char canon_default[] =
    "{\"base_image\": null, \"environment\": {}, \"gpu_count\": null, \"gpu_device_ids\": [], "
    "\"gpu_enabled\": false, \"gpu_vendor\": null, \"name\": \"default\", \"python_version\": "
    "\"3.11\", \"requirements\": [], \"session_enabled\": false, \"shared_code\": []}";

static const struct {
    const char *text;
    enum tako__canon_style style;
    const char *hex; /* all of it or its front */
} canon_golden[] = {
    {"{}", TAKO__CANON_COMPACT, "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"},
    {" { } ", TAKO__CANON_PYTHON,
     "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"},
    {"{\"a\":[1,2.5,null,true],\"b\":1,\"\xC3\xA9\":\"\xC3\xBC\"}", TAKO__CANON_COMPACT,
     "1a6b07d54854ec73250cee1428b186a7312210812e2a350ff24328ccfdb677ca"},
    {"{\"\\u00e9\":\"\\u00FC\", \"b\":1 , \"a\":[1,2.50,null,true]}", TAKO__CANON_COMPACT,
     "1a6b07d54854ec73250cee1428b186a7312210812e2a350ff24328ccfdb677ca"},
    {"{\"a\":1e16}", TAKO__CANON_COMPACT, "a0f92cfd05a74c21"},
    {"{\"a\":1e-7}", TAKO__CANON_COMPACT, "e1403651919bd61f"},
    {"{\"a\":-0.0}", TAKO__CANON_COMPACT, "952b7dc455870c26"},
    {"{\"a\":123456789012345678901234567890}", TAKO__CANON_COMPACT, "08d8ea6bf3a5b2cb"},
    {"{\"\xC3\xA9\":1,\"z\":2,\"Z\":3,\"\xF0\x9F\x98\x80\":4,\"\xEF\xBD\x9E\":5}",
     TAKO__CANON_COMPACT, "59a958507985127f"},
    /* the shipped job types */
    {canon_default, TAKO__CANON_PYTHON,
     "52f275d9d66ce04aa181436783f11ebf59478911351fe9bcc5af3c80c6aa0f43"},
    {"{\"name\":\"data-processing\",\"requirements\":[\"numpy\",\"pandas\"],\"shared_code\":[],"
     "\"python_version\":\"3.11\",\"base_image\":null,\"environment\":{},\"gpu_enabled\":false,"
     "\"gpu_vendor\":null,\"gpu_count\":null,\"gpu_device_ids\":[],\"session_enabled\":false}",
     TAKO__CANON_PYTHON, "f88339f5750f229275ae2cbb6199918d607b6b26a3885a10ebbb0b2d64e89900"},
    {"{\"name\":\"ml-inference\",\"requirements\":[\"numpy\",\"scikit-learn\"],\"shared_code\":[],"
     "\"python_version\":\"3.11\",\"base_image\":null,\"environment\":{},\"gpu_enabled\":false,"
     "\"gpu_vendor\":null,\"gpu_count\":null,\"gpu_device_ids\":[],\"session_enabled\":false}",
     TAKO__CANON_PYTHON, "54007aae4f4ce6c691abd283fc7c9e5ec7b0e6955789f6b345e877a5662dbcb0"},
};

START_TEST(golden_hashes_come_out)
{
    const char *text = canon_golden[_i].text, *want = canon_golden[_i].hex;
    struct fault_alloc f;
    tako_host host = canon_host(&f);
    tako_error err;
    char hex[65];

    ck_assert_int_eq(
        tako__canon_sha256(&host, text, strlen(text), canon_golden[_i].style, hex, &err), TAKO_OK);
    ck_assert(tako__hex64_ok(hex));
    ck_assert_msg(strncmp(hex, want, strlen(want)) == 0, "%s: %s", text, hex);
    ck_assert_int_eq(f.live_blocks, 0);
}
END_TEST

/* ---- corners ----------------------------------------------------------------------------- */

static const struct {
    const char *text, *compact;
    const char *python; /* NULL: the same */
} canon_corners[] = {
    {"null", "null", NULL},
    {"  true ", "true", NULL},
    {"false", "false", NULL},
    {"[]", "[]", NULL},
    {"[ [ ] , { } ]", "[[],{}]", "[[], {}]"},
    {"{\"b\":{\"d\":1,\"c\":2},\"a\":[{\"y\":1,\"x\":2}]}",
     "{\"a\":[{\"x\":2,\"y\":1}],\"b\":{\"c\":2,\"d\":1}}",
     "{\"a\": [{\"x\": 2, \"y\": 1}], \"b\": {\"c\": 2, \"d\": 1}}"},
    /* keys: by code point once decoded, a prefix first, the last of equal ones */
    {"{\"a\":1,\"b\":2,\"a\":3}", "{\"a\":3,\"b\":2}", "{\"a\": 3, \"b\": 2}"},
    {"{\"a\":1,\"\\u0061\":2}", "{\"a\":2}", "{\"a\": 2}"},
    {"{\"a\":{\"x\":1,\"x\":[2]},\"a\":{\"z\":1,\"y\":{}},\"a\":[1]}", "{\"a\":[1]}",
     "{\"a\": [1]}"},
    {"{\"\":1,\"a\":2,\"\":3}", "{\"\":3,\"a\":2}", "{\"\": 3, \"a\": 2}"},
    {"{\"ab\":1,\"a\":2,\"abcdefghi\":3,\"abcdefgh\":4,\"abcdefghj\":5,\"abcdefgh\":6}",
     "{\"a\":2,\"ab\":1,\"abcdefgh\":6,\"abcdefghi\":3,\"abcdefghj\":5}",
     "{\"a\": 2, \"ab\": 1, \"abcdefgh\": 6, \"abcdefghi\": 3, \"abcdefghj\": 5}"},
    {"{\"\\\\\":1,\"\\n\":2,\"!\":3}", "{\"\\n\":2,\"!\":3,\"\\\\\":1}",
     "{\"\\n\": 2, \"!\": 3, \"\\\\\": 1}"},
    {"{\"\\ud83d\\ude00\":1,\"\\uff5e\":2}", "{\"\xEF\xBD\x9E\":2,\"\xF0\x9F\x98\x80\":1}",
     "{\"\\uff5e\": 2, \"\\ud83d\\ude00\": 1}"},
    /* strings */
    {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0001\\u001F\\u007f\x7F\"",
     "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7F\x7F\"",
     "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\\u007f\\u007f\""},
    {"\"\\u2028\xC3\xA9\xEF\xBF\xBF\xF4\x8F\xBF\xBF\\u00DF\"",
     "\"\xE2\x80\xA8\xC3\xA9\xEF\xBF\xBF\xF4\x8F\xBF\xBF\xC3\x9F\"",
     "\"\\u2028\\u00e9\\uffff\\udbff\\udfff\\u00df\""},
    /* integers */
    {"[0,-0,1,-1,10,-123456789012345678901234567890]",
     "[0,0,1,-1,10,-123456789012345678901234567890]",
     "[0, 0, 1, -1, 10, -123456789012345678901234567890]"},
    /* floats, as float.__repr__ writes them */
    {"0.0", "0.0", NULL},
    {"-0e7", "-0.0", NULL},
    {"0.000e-999999999999999999999", "0.0", NULL},
    {"1e-99999", "0.0", NULL},
    {"-1e-99999", "-0.0", NULL},
    {"1.0", "1.0", NULL},
    {"1E5", "100000.0", NULL},
    {"100.00e3", "100000.0", NULL},
    {"0.5000", "0.5", NULL},
    {"123.456", "123.456", NULL},
    {"0.0001", "0.0001", NULL},
    {"0.00012345", "0.00012345", NULL},
    {"0.00001", "1e-05", NULL},
    {"0.000012345", "1.2345e-05", NULL},
    {"1e15", "1000000000000000.0", NULL},
    {"9999999999999998.0", "9999999999999998.0", NULL},
    {"1e16", "1e+16", NULL},
    {"1e+22", "1e+22", NULL},
    {"1e23", "1e+23", NULL},
    {"9007199254740993.0", "9007199254740992.0", NULL},
    {"0.1000000000000000055511151231257827", "0.1", NULL},
    {"0.30000000000000004", "0.30000000000000004", NULL},
    {"0.10000000000000001", "0.1", NULL},
    {"1125899906842624.25", "1125899906842624.2", NULL},
    {"5.684341886080801486968994140625e-14", "5.684341886080802e-14", NULL},
    {"2.2250738585072014e-308", "2.2250738585072014e-308", NULL},
    {"2.225073858507201e-308", "2.225073858507201e-308", NULL},
    {"4.9406564584124654e-324", "5e-324", NULL},
    {"2.4703282292062327208e-324", "0.0", NULL},
    {"2.4703282292062327209e-324", "5e-324", NULL},
    {"1.7976931348623157e308", "1.7976931348623157e+308", NULL},
    {"17976931348623157e292", "1.7976931348623157e+308", NULL},
    {"1e300", "1e+300", NULL},
};

static void canon_prints(const tako_host *host, const char *text, enum tako__canon_style style,
                         const char *want)
{
    struct tako__buf out;
    tako_error err = {0, 0, ""};
    size_t len = strlen(text);
    char *copy = malloc(len); /* its own block, so that reading past it shows */

    memcpy(copy, text, len);
    tako__buf_init(&out, host);
    tako__buf_puts(&out, "kept");
    ck_assert_msg(tako__canon(host, copy, len, style, &out, &err) == TAKO_OK, "%s: %s", text,
                  err.message);
    ck_assert_str_eq(out.data + 4, want);
    ck_assert_uint_eq(out.len, 4 + strlen(want));
    tako__buf_free(&out);
    free(copy);
}

START_TEST(corners_are_printed_as_python_does)
{
    const char *compact = canon_corners[_i].compact, *python = canon_corners[_i].python;
    struct fault_alloc f;
    tako_host host = canon_host(&f);

    canon_prints(&host, canon_corners[_i].text, TAKO__CANON_COMPACT, compact);
    canon_prints(&host, canon_corners[_i].text, TAKO__CANON_PYTHON, python ? python : compact);
    ck_assert_int_eq(f.live_blocks, 0);
}
END_TEST

static const struct {
    const char *text, *fault;
    size_t at;
} canon_bad[] = {
    {"", "it ends too early", 0},
    {" ", "it ends too early", 1},
    {"{\"a\":", "it ends too early", 5},
    {"nul", "a value was expected", 0},
    {"NaN", "a value was expected", 0},
    {"-Infinity", "a value was expected", 1},
    {"'a'", "a value was expected", 0},
    {"{} x", "something follows the value", 3},
    {"[1 2]", "',' or ']' was expected", 3},
    {"[1,]", "a value was expected", 3},
    {"{\"a\" 1}", "':' was expected", 5},
    {"{\"a\":1 \"b\"}", "',' or '}' was expected", 7},
    {"{\"a\":1,}", "a key in quotes was expected", 7},
    {"{a:1}", "a key in quotes was expected", 1},
    {"01", "a number begins with 0", 2},
    {"-", "a value was expected", 1},
    {"1.", "a number has no digits after the point", 2},
    {".5", "a value was expected", 0},
    {"1e+", "a number has no digits in its exponent", 3},
    {"1e309", "a number is too large", 5},
    {"\"a", "a string is not closed", 2},
    {"\"a\nb\"", "a string has a control character that is not escaped", 2},
    {"\"\\x\"", "a string has an unknown escape", 1},
    {"\"\\u12\"", "a string has a broken \\u escape", 1},
    {"\"\\u0000\"", "a string has a NUL character (\\u0000)", 1},
    {"\"\\ud800\"", "a string has half of a surrogate pair", 1},
    {"\"\xFF\"", "it is not valid UTF-8", 1},
};

START_TEST(what_is_no_json_is_refused_with_the_place)
{
    struct fault_alloc f;
    tako_host host = canon_host(&f);
    char want[200], hex[65] = "as before";
    tako_error err;

    snprintf(want, sizeof want, "not JSON: %s, at byte %zu", canon_bad[_i].fault, canon_bad[_i].at);
    ck_assert_int_eq(tako__canon_sha256(&host, canon_bad[_i].text, strlen(canon_bad[_i].text),
                                        TAKO__CANON_COMPACT, hex, &err),
                     TAKO_EINVAL);
    ck_assert_str_eq(err.message, want);
    ck_assert_str_eq(hex, "as before");
    ck_assert_int_eq(f.live_blocks, 0);
}
END_TEST

START_TEST(no_change_of_a_byte_reads_past_the_end)
{
    static const char text[] =
        "{\"b\":[1,-2.5e3,true],\"a\\u00e9\":{\"c\":\"\\ud83d\\ude00\xC3\xA9\"}}";
    struct fault_alloc f;
    tako_host host = canon_host(&f);
    size_t i, n, good = 0;
    char *copy, hex[65];
    int byte;

    for (n = 1; n < sizeof text; n++) { /* each front of it */
        copy = malloc(n);               /* exactly so long: sanitizers see a read behind */
        memcpy(copy, text, n);
        good += tako__canon_sha256(&host, copy, n, TAKO__CANON_PYTHON, hex, NULL) == TAKO_OK;
        free(copy);
    }
    ck_assert_uint_eq(good, 1);
    n = sizeof text - 1;
    copy = malloc(n);
    for (i = 0; i < n; i++) {
        for (byte = 0; byte < 256; byte++) {
            memcpy(copy, text, n);
            copy[i] = (char)byte;
            good += tako__canon_sha256(&host, copy, n, TAKO__CANON_PYTHON, hex, NULL) == TAKO_OK;
        }
    }
    free(copy);
    ck_assert_uint_gt(good, sizeof text);
    ck_assert_int_eq(f.live_blocks, 0);
}
END_TEST

START_TEST(nesting_is_bounded)
{
    struct fault_alloc f;
    tako_host host = canon_host(&f);
    char text[2 * 513 + 1], hex[65];
    tako_error err;

    memset(text, '[', 512);
    memset(text + 512, ']', 512);
    ck_assert_int_eq(tako__canon_sha256(&host, text, 1024, TAKO__CANON_COMPACT, hex, &err),
                     TAKO_OK);
    memset(text, '[', 513);
    memset(text + 513, ']', 513);
    ck_assert_int_eq(tako__canon_sha256(&host, text, 1026, TAKO__CANON_COMPACT, hex, &err),
                     TAKO_EINVAL);
    ck_assert_str_eq(err.message, "not JSON: it is nested too deeply, at byte 512");
    ck_assert_int_eq(f.live_blocks, 0);
}
END_TEST

START_TEST(without_memory_it_says_so)
{
    static const char text[] =
        "{\"b\":[1,{\"y\":1.5,\"x\":\"0123456789012345678901234567890123456789\"}],\"a\":{"
        "\"01234567"
        "8901234567890123456789012345678901234567890123456789012345678901234567890123456789\":1,"
        "\"i\":1,\"h\":2,\"g\":3,\"f\":4,\"e\":5,\"d\":6,\"c\":7,\"b\":8,\"a\":9,\"k\":1,\"l\":2,"
        "\"m\":3,\"n\":4,\"o\":5,\"p\":6}}";
    struct fault_alloc f;
    tako_host host = canon_host(&f);
    char hex[65], whole[65];
    tako_error err;
    long n;
    int rc = TAKO_ENOMEM;

    ck_assert_int_eq(
        tako__canon_sha256(&host, text, sizeof text - 1, TAKO__CANON_PYTHON, whole, &err), TAKO_OK);
    for (n = 0; rc != TAKO_OK; n++) {
        f.calls = 0;
        f.fail_at = n;
        rc = tako__canon_sha256(&host, text, sizeof text - 1, TAKO__CANON_PYTHON, hex, &err);
        ck_assert(rc == TAKO_OK || (rc == TAKO_ENOMEM && err.code == TAKO_ENOMEM));
        ck_assert_int_eq(f.live_blocks, 0);
    }
    ck_assert_int_gt(n, 8);
    ck_assert_str_eq(hex, whole);
}
END_TEST

START_TEST(many_keys_cost_no_square)
{
    struct fault_alloc f;
    tako_host host = canon_host(&f);
    struct tako__buf b;
    unsigned i, n = 90000;
    clock_t start = clock();
    char hex[65], sorted[65];

    tako__buf_init(&b, &host);
    for (i = 0; i < n; i++)
        tako__buf_printf(&b, "%c\"same front %06u\":1", i ? ',' : '{', i * 7 % n);
    tako__buf_puts(&b, "}");
    ck_assert_int_eq(tako__canon_sha256(&host, b.data, b.len, TAKO__CANON_COMPACT, hex, NULL),
                     TAKO_OK);
    b.len = 0;
    for (i = 0; i < n; i++)
        tako__buf_printf(&b, "%c\"same front %06u\":1", i ? ',' : '{', i);
    tako__buf_puts(&b, "}");
    tako__sha256_hex(b.data, b.len, sorted);
    ck_assert_str_eq(hex, sorted);
    tako__buf_free(&b);
    ck_assert_int_lt((clock() - start) / CLOCKS_PER_SEC, 5); /* of CPU; a square takes more */
    ck_assert_int_eq(f.live_blocks, 0);
}
END_TEST

/* ---- against Python ---------------------------------------------------------------------- */

/* Writes documents and what Python makes of them: "LEN LEN LEN\n" and the three texts. */
static const char canon_python[] =
    "import json, math, random, struct, sys\n"
    "from decimal import Decimal, getcontext\n"
    "getcontext().prec = 1200\n"
    "r = random.Random(int(sys.argv[1]))\n"
    "def blank(): return r.choice(['', '', '', ' ', '\\n', '\\t \\r\\n'])\n"
    "def double():\n"
    "    x = struct.unpack('<d', r.randbytes(8))[0]\n"
    "    return x if math.isfinite(x) else 0.1\n"
    "def floating():\n"
    "    k = r.randrange(9)\n"
    "    if k == 0: x = repr(double())\n"
    "    elif k == 1: x = '%.17e' % double()\n"
    "    elif k == 2: x = '%.*E' % (r.randint(0, 30), r.random() * 10 ** r.randint(-8, 20))\n"
    "    elif k == 3: x = str(Decimal(2.0 ** r.randint(-1074, 1023)))\n"
    "    elif k == 4: x = str(Decimal(math.nextafter(2.0 ** r.randint(-1074, 1022), r.choice("
    "[0, 9e307]))))\n"
    "    elif k == 5:\n"
    "        d = abs(double()) / 4\n"
    "        x = str((Decimal(d) + Decimal(math.nextafter(d, 9e307))) / 2)\n"
    "    elif k == 6: x = '%d.%d' % (r.randint(-2**53, 2**53), r.choice([0, 25, 5, 75, 125, 10]))\n"
    "    elif k == 7: x = '%.*f' % (r.randint(1, 20), r.uniform(-1000, 1000))\n"
    "    else: x = '%d%s%d' % (r.randint(-99, 99), r.choice(['e', 'E', 'e+', 'e-']), "
    "r.randint(0, 300))\n"
    "    return x if math.isfinite(float(x)) else '1e1'\n"
    "def number():\n"
    "    if r.random() < .6: return floating()\n"
    "    return r.choice(['0', '-0', '7', str(r.randint(-2**64, 2**64)), '9' * "
    "r.randint(1, 100)])\n"
    "def character():\n"
    "    k = r.randrange(12)\n"
    "    if k < 6: c = r.randint(0x20, 0x7f)\n"
    "    elif k < 7: c = r.randint(1, 0x1f)\n"
    "    elif k < 9: c = r.randint(0x80, 0x7ff)\n"
    "    elif k < 10: c = r.randint(0x800, 0xd7ff)\n"
    "    elif k < 11: c = r.choice([0x2028, 0x2029, 0xe000, 0xfeff, 0xffff, 0xff5e])\n"
    "    else: c = r.randint(0x10000, 0x10ffff)\n"
    "    return chr(c)\n"
    "def string(n):\n"
    "    s = ''\n"
    "    for c in [character() for i in range(r.randint(0, n))]:\n"
    "        if r.random() < .2:\n"
    "            u = c.encode('utf-16-be').hex()\n"
    "            c = ''.join('\\\\u' + r.choice([str.upper, str.lower])(u[i:i + 4]) "
    "for i in range(0, len(u), 4))\n"
    "        elif c in '\"\\\\/' or c < ' ': c = r.choice([json.dumps(c)[1:-1], '\\\\/']) "
    "if c == '/' else json.dumps(c)[1:-1]\n"
    "        s += c\n"
    "    return '\"' + s + '\"'\n"
    "def value(depth):\n"
    "    k = r.randrange(9 if depth else 5)\n"
    "    if k < 1: return r.choice(['null', 'true', 'false'])\n"
    "    if k < 3: return number()\n"
    "    if k < 5: return string(12)\n"
    "    if k < 6: return '[' + ','.join(blank() + value(depth - 1) + blank() "
    "for i in range(r.randint(0, 5))) + ']'\n"
    "    return thing(depth - 1)\n"
    "def thing(depth):\n"
    "    keys = [string(r.choice([1, 2, 12])) for i in range(r.randint(0, 8))]\n"
    "    keys += r.sample(keys, r.randint(0, len(keys)) // 3)\n"
    "    return '{' + ','.join(blank() + k + blank() + ':' + blank() + value(depth) + blank() "
    "for k in keys) + blank() + '}'\n"
    "for i in range(int(sys.argv[2])):\n"
    "    text = blank() + r.choice([thing, thing, thing, value])(r.randint(0, 6)) + blank()\n"
    "    v = json.loads(text)\n"
    "    all = [t.encode() for t in (text, json.dumps(v, sort_keys=True, ensure_ascii=False, "
    "separators=(',', ':')), json.dumps(v, sort_keys=True))]\n"
    "    sys.stdout.buffer.write(b'%d %d %d\\n' % tuple(map(len, all)) + b''.join(all))\n";

#define CANON_DOCUMENTS 10000

/* Reads `len` bytes into their own block. */
static char *canon_piece(FILE *file, size_t len)
{
    char *piece = malloc(len + 1);

    ck_assert_uint_eq(fread(piece, 1, len, file), len);
    piece[len] = '\0';
    return piece;
}

/* Compares all documents of `file`; how many there were. */
static int canon_compare_file(FILE *file, unsigned seed)
{
    struct fault_alloc f;
    tako_host host = canon_host(&f);
    struct tako__buf out;
    tako_error err;
    char line[80], *piece[3], *rest;
    size_t len[3], k;
    int n = 0;

    while (fgets(line, sizeof line, file)) {
        rest = line;
        for (k = 0; k < 3; k++)
            len[k] = strtoul(rest, &rest, 10);
        for (k = 0; k < 3; k++)
            piece[k] = canon_piece(file, len[k]);
        for (k = 1; k < 3; k++) {
            err.message[0] = '\0';
            tako__buf_init(&out, &host);
            (void)tako__canon(&host, piece[0], len[0],
                              k == 1 ? TAKO__CANON_COMPACT : TAKO__CANON_PYTHON, &out, &err);
            ck_assert_msg(out.len == len[k] && memcmp(out.data, piece[k], len[k]) == 0,
                          "seed %u, document %d: %s\n%s\nis\n%s\nbut Python prints\n%s", seed, n,
                          err.message, piece[0], out.data ? out.data : "", piece[k]);
            tako__buf_free(&out);
        }
        for (k = 0; k < 3; k++)
            free(piece[k]);
        n++;
    }
    ck_assert_int_eq(f.live_blocks, 0);
    return n;
}

START_TEST(random_documents_are_printed_as_python_does)
{
    const char *base = getenv("TMPDIR"), *given = getenv("TAKO_TEST_SEED");
    unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);
    char dir[200], file[256], command[600];
    FILE *f;
    int n = 0, status;

    snprintf(dir, sizeof dir, "%s/tako-canon-XXXXXX", base && *base ? base : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(file, sizeof file, "%s/documents", dir);
    snprintf(command, sizeof command, "/usr/bin/python3 - %u %d > '%s'", seed, CANON_DOCUMENTS,
             file);
    f = popen(command, "w");
    ck_assert_ptr_nonnull(f);
    fputs(canon_python, f);
    status = pclose(f);
    f = fopen(file, "r");
    (void)unlink(file); /* also when a comparison fails */
    (void)rmdir(dir);
    ck_assert_msg(status == 0 && f, "python3 failed with seed %u: status %d", seed, status);
    n = canon_compare_file(f, seed);
    (void)fclose(f);
    ck_assert_int_eq(n, CANON_DOCUMENTS);
}
END_TEST

START_TEST(a_comma_as_decimal_point_changes_nothing)
{
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "de_DE"};
    struct fault_alloc f;
    tako_host host = canon_host(&f);
    size_t i;

    /* Where no such locale is installed, this is the C locale. */
    for (i = 0; i < TAKO__LEN(names) && !setlocale(LC_ALL, names[i]); i++)
        continue;
    canon_prints(&host, "[0.30000000000000004,2.5,5.684341886080801486e-14]", TAKO__CANON_COMPACT,
                 "[0.30000000000000004,2.5,5.684341886080802e-14]");
    (void)setlocale(LC_ALL, "C");
}
END_TEST

/* ---- fingerprints ------------------------------------------------------------------------ */

#define EMPTY_HASH "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
#define OTHER_HASH "1a6b07d54854ec73250cee1428b186a7312210812e2a350ff24328ccfdb677ca"

static void canon_print_of(const struct tako__asked *asked, char hex[65])
{
    struct fault_alloc f;
    tako_host host = canon_host(&f);
    tako_error err;

    ck_assert_int_eq(tako__fingerprint(&host, asked, hex, &err), TAKO_OK);
    ck_assert_int_eq(f.live_blocks, 0);
}

START_TEST(golden_fingerprints_come_out)
{
    static const char *const needs[] = {"pandas", "numpy>=1.20"};
    struct tako__asked asked = {.input_hash = EMPTY_HASH};
    struct fault_alloc f;
    tako_host host = canon_host(&f);
    char code[65], input[65], hex[65];

    tako__sha256_hex("print('hello')", 14, code);
    asked.code_hash = code;
    asked.extra = "";
    canon_print_of(&asked, hex);
    ck_assert_str_eq(hex, "4d76512c5b598e352c673e8c04de19855d0b4fd1ffc3d6ddd6d5313fdbb52ba8");

    tako__sha256_hex("print(1)", 8, code);
    ck_assert_int_eq(tako__canon_sha256(&host, "{\"x\": 1}", 8, TAKO__CANON_COMPACT, input, NULL),
                     TAKO_OK);
    asked.input_hash = input;
    asked.type = "data-processing";
    asked.timeout_ms = 60000;
    asked.startup_timeout_ms = 120000;
    asked.requirements = needs;
    asked.n_requirements = 2;
    asked.extra = NULL;
    canon_print_of(&asked, hex);
    ck_assert_str_eq(hex, "55358f8821740a2cde4e6e4108dc9b50b15f9c9e54273ab79bff5761311fb228");
}
END_TEST

START_TEST(every_member_changes_the_fingerprint)
{
    static const char *const needs[] = {"a\"b", "c"}, *const turned[] = {"c", "a\"b"};
    struct tako__asked asked[10];
    char hex[10][65];
    size_t i, k;

    for (i = 0; i < TAKO__LEN(asked); i++)
        asked[i] = (struct tako__asked){.code_hash = EMPTY_HASH, .input_hash = EMPTY_HASH};
    asked[1].code_hash = NULL;
    asked[2].input_hash = OTHER_HASH;
    asked[3].type = "default@latest";
    asked[4].timeout_ms = 1500;
    asked[5].startup_timeout_ms = 1500;
    asked[6].requirements = needs;
    asked[7].requirements = turned;
    asked[6].n_requirements = asked[7].n_requirements = 2;
    asked[8].extra = "\"priority\":5,\"max_attempts\":3";
    asked[9].extra = "\"priority\":6,\"max_attempts\":3";
    for (i = 0; i < TAKO__LEN(asked); i++) {
        canon_print_of(&asked[i], hex[i]);
        for (k = 0; k < i; k++)
            ck_assert_msg(strcmp(hex[i], hex[k]) != 0, "%zu and %zu are the same", i, k);
    }
    asked[9].extra = "\"max_attempts\":3,\"priority\":5"; /* in another order */
    canon_print_of(&asked[9], hex[9]);
    ck_assert_str_eq(hex[9], hex[8]);
    asked[3].type = "default"; /* is what NULL stands for */
    canon_print_of(&asked[3], hex[3]);
    ck_assert_str_eq(hex[3], hex[0]);
}
END_TEST

START_TEST(times_are_seconds_whole_or_not)
{
    struct tako__asked asked = {.code_hash = EMPTY_HASH, .input_hash = EMPTY_HASH};
    static const char want[] = "{\"code_hash\":\"" EMPTY_HASH "\",\"input_hash\":\"" EMPTY_HASH
                               "\",\"job_type\":\"default\",\"requirements\":[],"
                               "\"startup_timeout\":0.001,\"timeout\":1.5}";
    char hex[65], direct[65];

    asked.timeout_ms = 1500;
    asked.startup_timeout_ms = 1;
    canon_print_of(&asked, hex);
    tako__sha256_hex(want, sizeof want - 1, direct);
    ck_assert_str_eq(hex, direct);
}
END_TEST

START_TEST(a_fingerprint_without_memory_says_so)
{
    struct tako__asked asked = {.code_hash = EMPTY_HASH, .input_hash = EMPTY_HASH};
    struct fault_alloc f;
    tako_host host = canon_host(&f);
    tako_error err;
    char hex[65];
    long n;
    int rc = TAKO_ENOMEM;

    for (n = 0; rc != TAKO_OK; n++) {
        f.calls = 0;
        f.fail_at = n;
        rc = tako__fingerprint(&host, &asked, hex, &err);
        ck_assert(rc == TAKO_OK || (rc == TAKO_ENOMEM && err.code == TAKO_ENOMEM));
        ck_assert_int_eq(f.live_blocks, 0);
    }
    ck_assert_int_gt(n, 5);
}
END_TEST

Suite *suite_canon(void)
{
    Suite *s = suite_create("canon");
    TCase *tc = tcase_create("print");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, golden_hashes_come_out, 0, (int)TAKO__LEN(canon_golden));
    tcase_add_loop_test(tc, corners_are_printed_as_python_does, 0, (int)TAKO__LEN(canon_corners));
    tcase_add_loop_test(tc, what_is_no_json_is_refused_with_the_place, 0,
                        (int)TAKO__LEN(canon_bad));
    tcase_add_test(tc, no_change_of_a_byte_reads_past_the_end);
    tcase_add_test(tc, nesting_is_bounded);
    tcase_add_test(tc, without_memory_it_says_so);
    tcase_add_test(tc, many_keys_cost_no_square);
    tcase_add_test(tc, a_comma_as_decimal_point_changes_nothing);
    suite_add_tcase(s, tc);
    tc = tcase_create("python");
    tcase_set_timeout(tc, 300);
    tcase_add_test(tc, random_documents_are_printed_as_python_does);
    suite_add_tcase(s, tc);
    tc = tcase_create("fingerprint");
    tcase_add_test(tc, golden_fingerprints_come_out);
    tcase_add_test(tc, every_member_changes_the_fingerprint);
    tcase_add_test(tc, times_are_seconds_whole_or_not);
    tcase_add_test(tc, a_fingerprint_without_memory_says_so);
    suite_add_tcase(s, tc);
    return s;
}
