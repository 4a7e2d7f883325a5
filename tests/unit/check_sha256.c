/* check_sha256.c - SHA-256 against the vectors of FIPS 180-4 and golden hashes.
 * SPDX-License-Identifier: MIT */
#include "../../src/base.h"

#include <check.h>
#include <string.h>

Suite *suite_sha256(void);

static const struct {
    const char *text, *hex;
} sha256_vectors[] = {
    {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnop"
     "qrsmnopqrstnopqrstu",
     "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
    {"{}", "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"},
    {"{\"a\":[1,2.5,null,true],\"b\":1,\"\xC3\xA9\":\"\xC3\xBC\"}",
     "1a6b07d54854ec73250cee1428b186a7312210812e2a350ff24328ccfdb677ca"},
};

START_TEST(known_hashes_come_out)
{
    char hex[65];

    tako__sha256_hex(sha256_vectors[_i].text, strlen(sha256_vectors[_i].text), hex);
    ck_assert_str_eq(hex, sha256_vectors[_i].hex);
    ck_assert(tako__hex64_ok(hex));
}
END_TEST

START_TEST(a_million_letters_in_pieces_of_any_size)
{
    struct tako__sha256 s;
    char piece[1000], hex[65];
    size_t done = 0, n = 1;

    memset(piece, 'a', sizeof piece);
    tako__sha256_init(&s);
    while (done < 1000000) {
        if (n > 1000000 - done)
            n = 1000000 - done;
        tako__sha256_add(&s, piece, n);
        done += n;
        n = n * 7 % 997 + 1;
    }
    tako__sha256_end(&s, hex);
    ck_assert_str_eq(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}
END_TEST

START_TEST(where_a_message_is_split_does_not_matter)
{
    unsigned char data[200];
    char whole[65], split[65];
    struct tako__sha256 s;
    size_t len, cut;

    for (len = 0; len < sizeof data; len++)
        data[len] = (unsigned char)(len * 37 + 11);
    for (len = 0; len <= sizeof data; len++) {
        tako__sha256_hex(data, len, whole);
        for (cut = 0; cut <= len; cut += 13) {
            tako__sha256_init(&s);
            tako__sha256_add(&s, data, cut);
            tako__sha256_add(&s, NULL, 0);
            tako__sha256_add(&s, data + cut, len - cut);
            tako__sha256_end(&s, split);
            ck_assert_str_eq(whole, split);
        }
    }
}
END_TEST

Suite *suite_sha256(void)
{
    Suite *s = suite_create("sha256");
    TCase *tc = tcase_create("vectors");

    tcase_add_loop_test(tc, known_hashes_come_out, 0, (int)TAKO__LEN(sha256_vectors));
    tcase_add_test(tc, a_million_letters_in_pieces_of_any_size);
    tcase_add_test(tc, where_a_message_is_split_does_not_matter);
    suite_add_tcase(s, tc);
    return s;
}
