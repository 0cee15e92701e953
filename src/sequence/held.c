/*
 * sequence/held.c - a pairing heap.
 */
#include "sequence/held.h"

static bool before(const gap_held_node_t *a, const gap_held_node_t *b)
{
    if (a->key != b->key) return a->key < b->key;
    return (int32_t)(a->order - b->order) < 0; /* numbers may wrap */
}

/* Both are roots without siblings. */
static gap_held_node_t *meld(gap_held_node_t *a, gap_held_node_t *b)
{
    if (before(b, a)) {
        gap_held_node_t *t = a;
        a = b;
        b = t;
    }
    b->sibling = a->child;
    a->child = b;
    return a;
}

void gap_held_insert(gap_held_t *h, gap_held_node_t *node, int32_t position, int32_t count)
{
    node->key = (uint64_t)(uint32_t)(position - count) << 32 | (uint32_t)position;
    node->order = h->next_order++;
    node->child = NULL;
    node->sibling = NULL;
    h->root = h->root == NULL ? node : meld(h->root, node);
    h->count++;
}

/* Meld the children pairwise from the left, then all from the right. */
static gap_held_node_t *merge_children(gap_held_node_t *first)
{
    gap_held_node_t *pairs = NULL; /* reversed */

    while (first != NULL) {
        gap_held_node_t *a = first;
        gap_held_node_t *b = a->sibling;
        first = b == NULL ? NULL : b->sibling;
        a->sibling = NULL;
        if (b != NULL) {
            b->sibling = NULL;
            a = meld(a, b);
        }
        a->sibling = pairs;
        pairs = a;
    }
    gap_held_node_t *root = NULL;
    while (pairs != NULL) {
        gap_held_node_t *next = pairs->sibling;
        pairs->sibling = NULL;
        root = root == NULL ? pairs : meld(root, pairs);
        pairs = next;
    }
    return root;
}

gap_held_node_t *gap_held_take(gap_held_t *h)
{
    gap_held_node_t *first = h->root;

    if (first == NULL) return NULL;
    h->root = merge_children(first->child);
    h->count--;
    first->child = NULL;
    return first;
}
