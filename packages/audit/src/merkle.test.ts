import { describe, expect, test } from 'vitest'
import { auditPath, leafHash, MerkleFrontier, merkleRoot, rootFromPath } from './merkle.ts'

// Inputs and roots of the reference implementation of Certificate Transparency (merkletree tests).
const INPUTS = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657']
  .concat('606162636465666768696a6b6c6d6e6f')
  .map((hex) => Buffer.from(hex, 'hex'))
const ROOTS = [
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
]
const LEAVES = INPUTS.map(leafHash)
const MANY = Array.from({ length: 70 }, (_, i) => leafHash(Buffer.from(`record ${i}`)))

describe('the tree of RFC 6962', () => {
  test.each(ROOTS.map((root, size) => [size, root] as const))(
    'has the reference root over %i leaves',
    (size, root) => {
      expect(merkleRoot(LEAVES.slice(0, size))).toBe(root)
    },
  )

  test('grows leaf by leaf to the root its definition gives, at every size', () => {
    const frontier = new MerkleFrontier()
    for (let size = 0; size <= MANY.length; size++) {
      expect(frontier.root()).toBe(merkleRoot(MANY.slice(0, size)))
      // Asking for the root disturbs nothing.
      expect(frontier.root()).toBe(merkleRoot(MANY.slice(0, size)))
      frontier.add(Buffer.from(MANY[size] ?? '', 'hex'))
    }
  })

  test('has the same root however seldom it is asked for, and begins anew', () => {
    const leaves = Array.from({ length: 333 }, (_, i) => leafHash(Buffer.from(`record ${i}`)))
    const frontier = new MerkleFrontier()
    for (let i = 0; i < 70; i++) frontier.add(Buffer.from(leaves[i] ?? '', 'hex'))
    frontier.reset()
    expect([frontier.count, frontier.root()]).toEqual([0, merkleRoot([])])
    for (const [index, leaf] of leaves.entries()) {
      frontier.add(Buffer.from(leaf, 'hex'))
      const size = index + 1
      expect(frontier.count).toBe(size)
      if (![63, 64, 65, 129, 200, 333].includes(size)) continue
      expect(frontier.root()).toBe(merkleRoot(leaves.slice(0, size)))
    }
  })

  test('leads from every leaf to the root, at every size', () => {
    for (let size = 1; size <= 40; size++) {
      const leaves = MANY.slice(0, size)
      for (const [index, leaf] of leaves.entries()) {
        const path = auditPath(leaves, index)
        expect(rootFromPath({ leaf, index, size, path })).toBe(merkleRoot(leaves))
      }
    }
  })

  test('leads elsewhere from another leaf, place, size or path', () => {
    const leaves = MANY.slice(0, 21)
    const root = merkleRoot(leaves)
    const leaf = leaves[5] ?? ''
    const path = auditPath(leaves, 5)
    const claims = [
      { leaf: leaves[6] ?? '', index: 5, size: 21, path },
      { leaf, index: 4, size: 21, path },
      { leaf, index: 5, size: 40, path },
      { leaf, index: 21, size: 21, path },
      { leaf, index: -1, size: 21, path },
      { leaf, index: 0.5, size: 21, path },
      { leaf, index: 5, size: 21, path: path.slice(1) },
      { leaf, index: 5, size: 21, path: path.slice(0, -1) },
      { leaf, index: 5, size: 21, path: [...path, leaf] },
      { leaf, index: 5, size: 21, path: path.toReversed() },
      { leaf, index: 0, size: 0, path: [] },
    ]
    for (const claim of claims) expect(rootFromPath(claim)).not.toBe(root)
  })
})
